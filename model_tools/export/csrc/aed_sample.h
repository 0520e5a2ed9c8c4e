/* A sample behind the DC blocker, in 2^-15 of a step of 16 bits: full scale is 2^30, and a sample may lie beyond it,
   not quite twice as far. A pause of digital zeros needs so many bits: what the blocker leaves of an offset there
   fades for half a second, and silence may lie on an edge between two values of the network's input. */
#ifndef AED_SAMPLE_H
#define AED_SAMPLE_H

#include <stdint.h>

#define AED_SAMPLE_BITS 15
#define AED_SAMPLE_ONE (1 << AED_SAMPLE_BITS)

typedef int32_t aed_sample;

#endif /* AED_SAMPLE_H */
