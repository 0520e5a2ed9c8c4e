#include "aed_dc.h"

#define MEAN_BITS (32 + AED_SAMPLE_BITS) /* a sample is the upper word */
#define SHARE_BITS 38                    /* of AED_DC_SHARE */

#if AED_DC_SHARE > INT32_MAX
#error "the DC blocker is for sample rates of 8.1 kHz and more"
#endif

void aed_dc_reset(struct aed_dc *dc)
{
    dc->mean = 0;
    dc->begun = false;
}

/* How far the mean goes, rounded down. */
static int64_t share(int64_t distance)
{
    int64_t upper = (int64_t)(int32_t)(distance >> 32) * AED_DC_SHARE;
    uint64_t lower = (uint64_t)(uint32_t)distance * AED_DC_SHARE;
    return (upper + (int64_t)(lower >> 32)) >> (SHARE_BITS - 32);
}

void aed_dc_push(struct aed_dc *dc, const int16_t pcm[AED_BLOCK_SAMPLES], aed_sample samples[AED_BLOCK_SAMPLES])
{
    const int64_t one = INT64_C(1) << MEAN_BITS, half = INT64_C(1) << 31;
    int64_t mean = dc->begun ? dc->mean : pcm[0] * one;
    for (int i = 0; i < AED_BLOCK_SAMPLES; ++i) {
        int64_t sample = pcm[i] * one;
        mean += share(sample - mean);
        samples[i] = (aed_sample)((sample + half - mean) >> 32);
    }
    dc->mean = mean;
    dc->begun = true;
}
