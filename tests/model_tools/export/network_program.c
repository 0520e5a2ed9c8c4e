/* Walks the rows of a file and writes the scores, for sanitizers: `network_program ROWS SCORES`. */
#include <stdio.h>

#include "aed_network.h"

int main(int count, char **arguments)
{
    static struct aed_network network;
    int8_t row[AED_MELS], scores[AED_CLASSES];
    FILE *in = count == 3 ? fopen(arguments[1], "rb") : NULL;
    FILE *out = count == 3 ? fopen(arguments[2], "wb") : NULL;
    if (in == NULL || out == NULL) {
        return 2;
    }
    aed_network_init(&network);
    while (fread(row, sizeof row, 1, in) == 1) {
        if (!aed_network_push_row(&network, row)) {
            return 3;
        }
        while (aed_network_step(&network)) {
        }
        if (aed_network_scores(&network, scores)) {
            fwrite(scores, sizeof scores, 1, out);
        }
    }
    fclose(in);
    return fclose(out) == 0 ? 0 : 4;
}
