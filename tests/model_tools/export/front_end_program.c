/* Rows of a file of samples: buffers of exactly the size that each may touch. */
#include <stdio.h>
#include <stdlib.h>
#include "aed_frontend.h"
int main(int count, char **names)
{
    struct aed_front_end *state = malloc(sizeof *state);
    int16_t *pcm = malloc(AED_HOP * sizeof *pcm);
    aed_sample *samples = malloc(AED_HOP * sizeof *samples);
    int8_t *row = malloc(AED_MELS);
    FILE *in = count == 3 ? fopen(names[1], "rb") : NULL, *out = count == 3 ? fopen(names[2], "wb") : NULL;
    if (!state || !pcm || !samples || !row || !in || !out) {
        return 2;
    }
    aed_front_end_init(state);
    while (fread(pcm, sizeof *pcm, AED_HOP, in) == AED_HOP) {
        for (int i = 0; i < AED_HOP; ++i) {
            samples[i] = pcm[i] * AED_SAMPLE_ONE;
        }
        if (aed_front_end_push(state, samples, row) && fwrite(row, 1, AED_MELS, out) != AED_MELS) {
            return 3;
        }
    }
    fclose(in);
    free(state), free(pcm), free(samples), free(row);
    return fclose(out);
}
