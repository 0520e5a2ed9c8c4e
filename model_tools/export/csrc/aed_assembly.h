/* What the kernels in assembly have in common.

   How a sum becomes a value: two roundings give at least v where
   sum * multiplier >= 2^31 (v 2^shift - 2^(shift - 1) - 1/2). With a sum shifted to the left by l, the upper half
   of its product with the multiplier, a constant h added, and a shift to the right by r, it is at least v where
   sum * multiplier >= 2^(32 - l) (v 2^r - h): the same with r = shift + l - 1, h = 2^(r - 1) + 2^(l - 2). What is
   below 0 ends at 0. */
#ifndef AED_ASSEMBLY_H
#define AED_ASSEMBLY_H

#include <stddef.h>

#include "aed_kernels.h"

#define AED_ASSEMBLY __attribute__((naked, noinline))
#define AED_UNUSED __attribute__((unused))

#define AED_TEXT(x) #x
#define AED_VALUE(x) AED_TEXT(x)
#define AED_ROW_BYTES "4 * " AED_VALUE(AED_ROW_WORDS)

/* Offsets in struct aed_stage. */
#define AED_DEPTHWISE "12"
#define AED_INPUTS "24"
#define AED_OUTPUTS "26"
#define AED_WIDTH "28"

typedef char aed_check_depthwise[offsetof(struct aed_stage, depthwise_kernel) == 12 ? 1 : -1];
typedef char aed_check_inputs[offsetof(struct aed_stage, inputs) == 24 ? 1 : -1];
typedef char aed_check_outputs[offsetof(struct aed_stage, outputs) == 26 ? 1 : -1];
typedef char aed_check_columns[offsetof(struct aed_stage, columns) == 28 ? 1 : -1];

#endif /* AED_ASSEMBLY_H */
