/* TFLite's roundings of signed numbers. */
#ifndef AED_ROUNDING_H
#define AED_ROUNDING_H

#include <stdint.h>

/* a b / 2^31, halves towards plus infinity; not both -2^31. */
static inline int32_t aed_high_product(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    if (product < 0) {
        return -(int32_t)(((uint64_t)-product + (1u << 30) - 1) >> 31);
    }
    return (int32_t)(((uint64_t)product + (1u << 30)) >> 31);
}

/* value / 2^shift, halves away from 0; the shift is at most 31. */
static inline int32_t aed_shifted(int32_t value, uint32_t shift)
{
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    uint32_t rounded = (uint32_t)(((uint64_t)magnitude + ((UINT32_C(1) << shift) >> 1)) >> shift);
    return value < 0 ? -(int32_t)rounded : (int32_t)rounded;
}

/* a b / 2^(31 + shift), halves towards plus infinity; the shift is at most 31. */
static inline int32_t aed_rounded_once(int32_t a, int32_t b, uint32_t shift)
{
    int64_t product = (int64_t)a * b;
    uint64_t half = (UINT64_C(1) << 30) << shift;
    if (product < 0) {
        return -(int32_t)(((uint64_t)-product + half - 1) >> (31 + shift));
    }
    return (int32_t)(((uint64_t)product + half) >> (31 + shift));
}

#endif /* AED_ROUNDING_H */
