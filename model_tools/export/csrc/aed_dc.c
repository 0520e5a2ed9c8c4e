#include "aed_dc.h"

#define MEAN_BITS 45
#define SHARE_BITS 38 /* of AED_DC_SHARE */
#define LOWER_BITS 31
#define DROPPED_BITS (MEAN_BITS - AED_SAMPLE_BITS)

void aed_dc_reset(struct aed_dc *dc)
{
    dc->mean = 0;
    dc->begun = false;
}

/* How far the mean goes, rounded down; a distance has 62 bits, AED_DC_SHARE less than 31. */
static int64_t share(int64_t distance)
{
    int64_t upper = (distance >> LOWER_BITS) * AED_DC_SHARE;
    uint64_t lower = ((uint64_t)distance & ((UINT64_C(1) << LOWER_BITS) - 1)) * AED_DC_SHARE;
    return (upper + (int64_t)(lower >> LOWER_BITS)) >> (SHARE_BITS - LOWER_BITS);
}

void aed_dc_push(struct aed_dc *dc, const int16_t pcm[AED_BLOCK_SAMPLES], aed_sample samples[AED_BLOCK_SAMPLES])
{
    int64_t mean = dc->begun ? dc->mean : pcm[0] * (INT64_C(1) << MEAN_BITS);
    for (int i = 0; i < AED_BLOCK_SAMPLES; ++i) {
        int64_t sample = pcm[i] * (INT64_C(1) << MEAN_BITS);
        mean += share(sample - mean);
        samples[i] = (aed_sample)((sample - mean + (INT64_C(1) << (DROPPED_BITS - 1))) >> DROPPED_BITS);
    }
    dc->mean = mean;
    dc->begun = true;
}
