/* Rows of int8 mels from standard input; to standard output each row of each stage as it is made, q + 128, behind
   the number of its stage, and the scores behind the number 255. */
#include <stdio.h>

#include "aed_network.h"
#include "aed_stages.h"

#define MOST_BYTES 65536

static struct aed_network network;
static uint8_t values[MOST_BYTES];
static int32_t newest[AED_STAGES];

static void put(int stage, const void *bytes, size_t count)
{
    (void)putchar(stage);
    (void)fwrite(bytes, 1, count, stdout);
}

static void put_rows(void)
{
    for (uint32_t stage = 0; stage + 1 < AED_STAGES; ++stage) {
        const struct aed_stage *s = &aed_stages[stage];
        int32_t row = aed_network_row(&network, stage, values);
        if (row != newest[stage] && row >= 0 && (AED_STREAM || AED_INCREMENTAL || row != s->rows)) {
            put((int)stage, values, 2u * s->outputs * s->columns);
        }
        newest[stage] = row;
    }
}

int main(void)
{
    int8_t row[AED_MELS], scores[AED_CLASSES];
    for (uint32_t stage = 0; stage < AED_STAGES; ++stage) {
        newest[stage] = -1;
    }
    aed_network_init(&network);
    while (fread(row, 1, sizeof row, stdin) == sizeof row) {
        bool more = true;
        if (!aed_network_push_row(&network, row)) {
            return 1;
        }
        while (more) {
            more = aed_network_step(&network);
            put_rows();
            if (aed_network_scores(&network, scores)) {
                put(255, scores, sizeof scores);
            }
        }
    }
    return 0;
}
