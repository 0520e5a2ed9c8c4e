#include "aed_level.h"

#include <stddef.h>

#define BITS 12 /* behind the point: the sum of squares has 64 */
#define CLIPPED (32767u << BITS)

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
    int below;
    int coarse = 0, fine = 0;
    for (int above = AED_LEVEL_COARSE_STEPS - 1; coarse < above;) {
        int middle = (coarse + above) / 2;
        if (sum_of_squares >= aed_level_coarse[middle + 1]) {
            above = middle;
        } else {
            coarse = middle + 1;
        }
    }
    for (int above = AED_LEVEL_FINE_STEPS - 1; fine < above;) {
        int middle = (fine + above) / 2;
        if (sum_of_squares > times(aed_level_coarse[coarse], aed_level_fine[middle])) {
            above = middle;
        } else {
            fine = middle + 1;
        }
    }
    below = coarse * (AED_LEVEL_FINE_STEPS - 1) + fine;
    return (int16_t)(below < AED_LEVEL_TOP_CDB - AED_SILENCE_CDB ? AED_LEVEL_TOP_CDB - below : AED_SILENCE_CDB);
}

static int32_t rounded(aed_sample sample)
{
    return (sample + (1 << (AED_SAMPLE_BITS - BITS - 1))) >> (AED_SAMPLE_BITS - BITS);
}

struct aed_level_frame aed_level_of(const aed_sample samples[AED_LEVEL_SAMPLES])
{
    uint64_t sum = 0;
    uint32_t most = 0;
    struct aed_level_frame frame;
    for (size_t i = 0; i < AED_LEVEL_SAMPLES; ++i) {
        int32_t sample = rounded(samples[i]);
        uint32_t size = (uint32_t)(samples[i] < 0 ? ~samples[i] : samples[i]); /* 2^-15 short below zero */
        sum += (uint64_t)((int64_t)sample * sample);
        most = size > most ? size : most;
    }
    most = (uint32_t)rounded((aed_sample)most);
    frame.rms_cdb = to_cdb(sum);
    frame.peak_cdb = to_cdb((uint64_t)most * most * AED_LEVEL_SAMPLES);
    frame.clipped = most >= CLIPPED;
    return frame;
}
