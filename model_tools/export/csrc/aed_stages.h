/* The tables of a network, as `aed_weights.c` has them. */
#ifndef AED_STAGES_H
#define AED_STAGES_H

#include <stdint.h>

#include "aed_weights.h"

/* What an output channel adds to its sum, and the factor 2^-31 of the sum, further shifted to the right. */
struct aed_channel {
    int32_t bias;
    int32_t multiplier;
};

/* A layer that makes rows, the stem or a pointwise one, and the depthwise layer that takes them.

   Kernels of the first are words of two output channels and two inputs: in the lower half the weights of the
   first input, in the upper half those of the second, each as 256 times that of the odd output plus that of
   the even one. Kernels of the second are three rows of three, channel after channel. */
struct aed_stage {
    const uint32_t *kernel;
    const struct aed_channel *channels;
    const uint8_t *shifts;
    const int8_t *depthwise_kernel; /* null in the last stage */
    const struct aed_channel *depthwise_channels;
    const uint8_t *depthwise_shifts;
    uint16_t inputs;  /* pairs of inputs of a sum */
    uint16_t outputs; /* pairs of output channels */
    uint16_t columns; /* of a row that it makes */
    uint16_t rows;    /* of a patch */
    uint16_t ring;    /* first word of the two rows that are kept */
    uint16_t stride;  /* of the depthwise layer */
};

extern const struct aed_stage aed_stages[AED_STAGES];

#if AED_INCREMENTAL
/* The first rows of patches that the padding changes. */
struct aed_edge {
    uint16_t first;  /* word of them */
    uint8_t rows;    /* of a patch */
    uint8_t patches; /* whose rows are kept at a time */
};
extern const struct aed_edge aed_edges[AED_STAGES];
#endif

extern const int8_t aed_dense_kernel[AED_CLASSES * AED_EMBEDDING];
extern const struct aed_channel aed_dense_channels[AED_CLASSES];
extern const uint8_t aed_dense_shifts[AED_CLASSES];

#if AED_SIGMOID
/* Score of each logit, from -128 on. */
extern const int8_t aed_logistic[256];
#endif

#endif /* AED_STAGES_H */
