/* Takes the slow mean off the samples, as the daemon does: a first-order high-pass of 10 Hz, y = x - m, m the
   exponential mean of x. */
#ifndef AED_DC_H
#define AED_DC_H

#include <stdbool.h>

#include "aed_pcm.h"
#include "aed_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

struct aed_dc {
    int64_t mean; /* 2^-47 of a step of 16 bits */
    bool begun;
};

/* Forgets the mean: the first sample to come becomes its start. */
void aed_dc_reset(struct aed_dc *dc);

/* Takes the next block. */
void aed_dc_push(struct aed_dc *dc, const int16_t pcm[AED_BLOCK_SAMPLES], aed_sample samples[AED_BLOCK_SAMPLES]);

#ifdef __cplusplus
}
#endif

#endif /* AED_DC_H */
