/* Kernels for a row of two channels. Each has a portable form and one for cores with the DSP extension and an
   FPU, of the same bytes.

   Values are q + 128, so that 0 is the value behind a ReLU. A row of a channel is words of four columns, in
   the bytes x0, x2, x1, x3 from the lowest on: their even bytes are two neighbours, and so are the odd ones.
   What a pointwise layer reads is words of a pair of channels, the even one in the lower half: the four
   columns of a block, for each pair of channels, for each block. */
#ifndef AED_KERNELS_H
#define AED_KERNELS_H

#include <stdint.h>

#include "aed_stages.h"

#if AED_ROOMY && defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FP) && !defined(AED_PORTABLE)
#if __ARM_ARCH_PROFILE == 'M' && __ARM_FEATURE_DSP && (__ARM_FP & 4) != 0
#define AED_DSP_KERNELS
#endif
#endif

#define AED_ROW_WORDS (AED_COLUMNS / 4 + 2)

/* Three rows of a pair of channels with four columns of padding on both sides; the last is the newest. */
struct aed_window {
    uint32_t rows[2][3][AED_ROW_WORDS];
};

/* Makes the newest rows of the output channels 2 `pair` and 2 `pair` + 1. */
void aed_pointwise(const struct aed_stage *stage, uint32_t pair, const uint32_t *input, struct aed_window *window);

/* Makes the depthwise layer's rows of the same channels, as a pointwise layer reads them. */
void aed_depthwise(const struct aed_stage *stage, uint32_t pair, const struct aed_window *window, uint32_t *output);

#endif /* AED_KERNELS_H */
