/* Rows of int8 mels from standard input, scores to standard output. */
#include <stdio.h>

#include "aed_network.h"

static struct aed_network network;

int main(void)
{
    int8_t row[AED_MELS], scores[AED_CLASSES];
    aed_network_init(&network);
    while (fread(row, 1, sizeof row, stdin) == sizeof row) {
        if (!aed_network_push_row(&network, row)) {
            return 1;
        }
        while (aed_network_step(&network)) {
        }
        if (aed_network_scores(&network, scores)) {
            (void)fwrite(scores, 1, sizeof scores, stdout);
        }
    }
    return 0;
}
