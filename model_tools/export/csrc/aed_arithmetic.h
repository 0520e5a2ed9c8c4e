/* The numbers of the front end: floats, or integers where AED_FIXED_POINT is defined.

   A real number of the fixed-point variant counts units of 2^-(AED_UNIT + shift) of full scale. The shift is
   chosen for each frame (`aed_headroom`), such that the transform cannot overflow: a magnitude is at most the
   sum of the windowed samples, 200 of full scale, and so below 2^31. Samples beyond full scale have shift -1. Shifts to the right of negative numbers
   are arithmetic, as gcc, clang and the vendors' compilers have them. */
#ifndef AED_ARITHMETIC_H
#define AED_ARITHMETIC_H

#include <stdint.h>
#include <string.h>

#include "aed_sample.h"

/* For what is used more than once in a loop, of which -O2 makes functions. */
#ifdef __GNUC__
#define AED_INLINE static inline __attribute__((always_inline))
#else
#define AED_INLINE static inline
#endif

#ifdef AED_FIXED_POINT

#define AED_UNIT 23

typedef int32_t aed_real;
typedef int32_t aed_coefficient; /* 2^-31 */
typedef int64_t aed_sum;

#define AED_SQRT_HALF 1518500250

static inline aed_real aed_times(aed_real a, aed_coefficient w)
{
    return (int32_t)(((int64_t)a * w + (1 << 30)) >> 31);
}

/* A sample times half the window. */
static inline aed_real aed_windowed(aed_sample sample, aed_coefficient window, int shift)
{
    int drop = 32 + 15 + AED_SAMPLE_BITS - AED_UNIT - shift;
    return (int32_t)(((int64_t)sample * window + ((int64_t)1 << (drop - 1))) >> drop);
}

/* The square root of a number below 2^32, rounded down. */
static inline uint32_t aed_root_of_32_bits(uint32_t square)
{
    uint32_t root = 0, rest = square;
    for (uint32_t bit = UINT32_C(1) << 30; bit != 0; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

static inline int aed_leading_zeros(uint64_t value)
{
    int zeros = 0;
    for (int step = 32; step != 0; step >>= 1) {
        if ((value >> (64 - step)) == 0) {
            zeros += step;
            value <<= step;
        }
    }
    return zeros;
}

/* sqrt(re^2 + im^2) to within 2 units or 2^-30: 16 bits of the root by digits, 16 more by a division. */
static inline aed_real aed_magnitude(aed_real re, aed_real im)
{
    uint64_t square = (uint64_t)((int64_t)re * re) + (uint64_t)((int64_t)im * im);
    if (square == 0) {
        return 0;
    }
    int shift = (aed_leading_zeros(square) - 1) / 2; /* the square is below 2^62 */
    square <<= 2 * shift;
    uint32_t high = aed_root_of_32_bits((uint32_t)(square >> 32));
    uint64_t rest = square - ((uint64_t)(high * high) << 32);
    uint32_t low = (uint32_t)(rest >> 17) / high;
    return (int32_t)(((high << 16) + low) >> shift);
}

/* Left shift that the frame bears: its largest sample is below 2^-shift of full scale. */
static inline int aed_headroom(const aed_sample *first, int32_t count, const aed_sample *second, int32_t more)
{
    int32_t used = 0;
    int shift = -1;
    for (int32_t i = 0; i < count; ++i) {
        used |= first[i] < 0 ? ~first[i] : first[i];
    }
    for (int32_t i = 0; i < more; ++i) {
        used |= second[i] < 0 ? ~second[i] : second[i];
    }
    while (shift < 15 && used >> (14 + AED_SAMPLE_BITS - shift) == 0) {
        ++shift;
    }
    return shift;
}

/* The bits of the float that is a sum, at least 0, rounded down. */
static inline uint32_t aed_float_bits(aed_sum sum, int shift)
{
    if (sum <= 0) {
        return 0;
    }
    int zeros = aed_leading_zeros((uint64_t)sum);
    uint32_t mantissa = (uint32_t)(((uint64_t)sum << zeros) >> 40);
    return ((uint32_t)(63 - zeros - AED_UNIT - shift + 127) << 23) | (mantissa & 0x7FFFFFu);
}

#else

#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4) != 0
#define AED_VSQRT
#else
#include <math.h>
#endif

typedef float aed_real;
typedef float aed_coefficient;
typedef float aed_sum;

#define AED_SQRT_HALF 0x1.6a09e6p-1f

static inline aed_real aed_times(aed_real a, aed_coefficient w)
{
    return a * w;
}

static inline aed_real aed_windowed(aed_sample sample, aed_coefficient window, int shift)
{
    (void)shift;
    return (float)sample * window;
}

static inline aed_real aed_magnitude(aed_real re, aed_real im)
{
    float square = re * re + im * im;
#ifdef AED_VSQRT
    /* sqrtf would also test for negative numbers, to set errno. */
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(square));
    return root;
#else
    return sqrtf(square);
#endif
}

static inline int aed_headroom(const aed_sample *first, int32_t count, const aed_sample *second, int32_t more)
{
    (void)first, (void)count, (void)second, (void)more;
    return 0;
}

static inline uint32_t aed_float_bits(aed_sum sum, int shift)
{
    uint32_t bits;
    (void)shift;
    memcpy(&bits, &sum, sizeof bits);
    return bits;
}

#endif

#endif /* AED_ARITHMETIC_H */
