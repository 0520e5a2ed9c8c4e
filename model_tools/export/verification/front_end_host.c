/* Samples of 16 bits from standard input, rows of int8 mels to standard output. */
#include <stdio.h>

#include "aed_frontend.h"

static struct aed_front_end front_end;

int main(void)
{
    int16_t pcm[AED_HOP];
    aed_sample samples[AED_HOP];
    int8_t row[AED_MELS];
    aed_front_end_init(&front_end);
    while (fread(pcm, 1, sizeof pcm, stdin) == sizeof pcm) {
        for (int i = 0; i < AED_HOP; ++i) {
            samples[i] = pcm[i] * AED_SAMPLE_ONE;
        }
        if (aed_front_end_push(&front_end, samples, row)) {
            (void)fwrite(row, 1, sizeof row, stdout);
        }
    }
    return 0;
}
