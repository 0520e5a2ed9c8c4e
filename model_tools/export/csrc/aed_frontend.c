#include "aed_frontend.h"

void aed_front_end_init(struct aed_front_end *front_end)
{
    memset(front_end, 0, sizeof *front_end);
}

void aed_front_end_reset(struct aed_front_end *front_end)
{
    aed_front_end_init(front_end);
}

/* The int8 of a mel magnitude, a float's bits: -128 + how many of the sorted steps it reaches. A bucket is a
   range of floats that agree in their upper bits. */
static int8_t quantised(uint32_t magnitude)
{
    uint32_t bucket = magnitude >> AED_BUCKET_SHIFT;
    bucket = bucket > AED_FIRST_BUCKET ? bucket - AED_FIRST_BUCKET : 0;
    bucket = bucket < sizeof aed_log_buckets ? bucket : sizeof aed_log_buckets - 1;
    int32_t reached = aed_log_buckets[bucket];
    while (magnitude >= aed_log_steps[reached]) {
        ++reached;
    }
    return (int8_t)(reached - 128);
}

/* Between two neighbouring edges the filter of one band rises to 1 as that of the band before falls to 0:
   a magnitude's share in the one is what is left of its share in the other. */
static void to_mels(const struct aed_complex *magnitudes, int shift, int8_t *row)
{
    const struct aed_complex *at = magnitudes + AED_FIRST_BIN;
    const aed_coefficient *share = aed_mel_shares;
    aed_sum before = 0;
    for (int segment = 0; segment <= AED_MELS; ++segment) {
        aed_sum all = 0, rising = 0;
        for (int left = aed_mel_bins[segment]; left != 0; --left) {
            aed_real magnitude = (at++)->re;
            all += magnitude;
            rising += aed_times(magnitude, *share++);
        }
        if (segment > 0) {
            row[segment - 1] = quantised(aed_float_bits(before + (all - rising), shift));
        }
        before = rising;
    }
}

bool aed_front_end_push(struct aed_front_end *front_end, const aed_sample samples[AED_HOP], int8_t row[AED_MELS])
{
    bool complete = front_end->blocks == 2;
    if (complete) {
        int shift = aed_fft_magnitudes(front_end->past, samples, front_end->spectrum);
        to_mels(front_end->spectrum, shift, row);
    } else {
        ++front_end->blocks;
    }
    memmove(front_end->past, front_end->past + AED_BLOCK, (AED_PAST - AED_BLOCK) * sizeof *samples);
    memcpy(front_end->past + AED_PAST - AED_BLOCK, samples, AED_BLOCK * sizeof *samples);
    return complete;
}
