#include "aed_level.h"

#include <stddef.h>

#define FULL_SCALE 32767u

/* The upper 64 bits of a product. */
static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t upper = a_high * b_low + ((a_low * b_low) >> 32);
    uint64_t lower = a_low * b_high + (uint32_t)upper;
    return a_high * b_high + (upper >> 32) + (lower >> 32);
}

/* Rounds 1000 log10 of a sum of squares over that of full scale, exactly: the sum is compared with the
   rounded level's edges, each the product of a coarse (1 dB) and a fine (0.01 dB) step. */
static int16_t to_cdb(uint64_t sum_of_squares)
{
    uint64_t value = sum_of_squares << AED_LEVEL_SHIFT;
    int coarse = 0, fine = 0;
    if (sum_of_squares == 0) {
        return AED_SILENCE_CDB;
    }
    for (int above = AED_LEVEL_COARSE_STEPS - 1; coarse < above;) {
        int middle = (coarse + above) / 2;
        if (value >= aed_level_coarse[middle + 1]) {
            above = middle;
        } else {
            coarse = middle + 1;
        }
    }
    for (int above = AED_LEVEL_FINE_STEPS - 1; fine < above;) {
        int middle = (fine + above) / 2;
        if (value > times(aed_level_coarse[coarse], aed_level_fine[middle])) {
            above = middle;
        } else {
            fine = middle + 1;
        }
    }
    return (int16_t)(-(coarse * (AED_LEVEL_FINE_STEPS - 1) + fine));
}

struct aed_level_frame aed_level_of(const int16_t pcm[AED_LEVEL_SAMPLES])
{
    uint64_t sum = 0;
    uint32_t most = 0;
    struct aed_level_frame frame;
    for (size_t i = 0; i < AED_LEVEL_SAMPLES; ++i) {
        uint32_t square = (uint32_t)(pcm[i] * pcm[i]);
        sum += square;
        most = square > most ? square : most;
    }
    frame.rms_cdb = to_cdb(sum);
    frame.peak_cdb = to_cdb((uint64_t)most * AED_LEVEL_SAMPLES);
    frame.clipped = most >= FULL_SCALE * FULL_SCALE;
    return frame;
}
