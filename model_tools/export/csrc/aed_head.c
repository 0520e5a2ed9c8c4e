#include "aed_head.h"

#include "aed_rounding.h"

static int32_t clamped(int32_t value)
{
    return value < -128 ? -128 : value > 127 ? 127 : value;
}

static int32_t mean_of(uint32_t sum)
{
    int32_t mean = aed_shifted(aed_high_product((int32_t)sum, AED_MEAN_MULTIPLIER), AED_MEAN_SHIFT);
    return clamped(mean + AED_MEAN_ZERO_POINT);
}

static int32_t logit_of(int32_t total, int32_t multiplier, uint32_t shift)
{
#if AED_DENSE_ROUNDINGS == 1
    return aed_rounded_once(total, multiplier, shift);
#else
    return aed_shifted(aed_high_product(total, multiplier), shift);
#endif
}

#if AED_SIGMOID

static void activate(const int8_t logits[AED_CLASSES], int8_t scores[AED_CLASSES])
{
    for (int i = 0; i < AED_CLASSES; ++i) {
        scores[i] = aed_logistic[logits[i] + 128];
    }
}

#else

/* 1 / x in 2^-30 for x in [1/2, 1), in 2^-31: three steps of Newton's method, as gemmlowp has them. */
static int32_t reciprocal(int32_t x)
{
    int32_t guess = 1515870810 + aed_high_product(x, -1010580540); /* 48/17 - 32/17 x, in 2^-29 */
    for (int i = 0; i < 3; ++i) {
        int32_t error = (1 << 29) - aed_high_product(x, guess);
        guess += 4 * aed_high_product(guess, error);
    }
    return guess > 0x3FFFFFFF ? INT32_MAX : 2 * guess;
}

/* exp(x) in 2^-31, x below 0 in 2^-26: a series within a quarter, and a factor for each bit above. */
static int32_t power(int32_t x)
{
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    int32_t quarter = 1 << 24;
    int32_t part = (int32_t)((uint32_t)x % (uint32_t)quarter) - quarter;
    int32_t t = 32 * part + (1 << 28); /* from -1/8 to 1/8, in 2^-31 */
    int32_t t2 = aed_high_product(t, t), t3 = aed_high_product(t2, t), t4 = aed_high_product(t2, t2);
    int32_t sixths = aed_high_product(aed_shifted(t4, 2) + t3, 715827883) + t2;
    int32_t result = 1895147668 + aed_high_product(1895147668, t + aed_shifted(sixths, 1));
    uint32_t quarters = (uint32_t)(part - x) / (uint32_t)quarter;
    for (uint32_t i = 0; i < 7; ++i) {
        if ((quarters >> i & 1) != 0) {
            result = aed_high_product(result, factors[i]);
        }
    }
    return result;
}

static int32_t exponential(int32_t steps)
{
    if (steps == 0) {
        return INT32_MAX;
    }
    if (steps > AED_EXPONENT_MOST) {
        return 0;
    }
    return power(aed_high_product(-(int32_t)((uint32_t)steps << AED_EXPONENT_SHIFT), AED_EXPONENT_MULTIPLIER));
}

/* The arithmetic of TFLite's reference kernel. */
static void activate(const int8_t logits[AED_CLASSES], int8_t scores[AED_CLASSES])
{
    int32_t powers[AED_CLASSES], highest = -128, sum = 0; /* in 2^-19 */
    for (int i = 0; i < AED_CLASSES; ++i) {
        highest = logits[i] > highest ? logits[i] : highest;
    }
    for (int i = 0; i < AED_CLASSES; ++i) {
        powers[i] = exponential(highest - logits[i]);
        sum += aed_shifted(powers[i], 12);
    }
    uint32_t normalised = (uint32_t)sum, shift = 35;
    for (; normalised < UINT32_C(1) << 31; normalised <<= 1) {
        --shift;
    }
    int32_t factor = reciprocal((int32_t)(normalised >> 1));
    for (int i = 0; i < AED_CLASSES; ++i) {
        int32_t share = aed_high_product(factor, powers[i]);
        scores[i] = (int8_t)clamped(aed_shifted(share, shift) - 128);
    }
}

#endif

void aed_head(const uint16_t sums[AED_EMBEDDING], int8_t scores[AED_CLASSES])
{
    int32_t totals[AED_CLASSES];
    int8_t logits[AED_CLASSES];
    for (int i = 0; i < AED_CLASSES; ++i) {
        totals[i] = aed_dense_channels[i].bias;
    }
    for (int c = 0; c < AED_EMBEDDING; ++c) {
        int32_t mean = mean_of(sums[c]);
        for (int i = 0; i < AED_CLASSES; ++i) {
            totals[i] += mean * aed_dense_kernel[i * AED_EMBEDDING + c];
        }
    }
    for (int i = 0; i < AED_CLASSES; ++i) {
        int32_t logit = logit_of(totals[i], aed_dense_channels[i].multiplier, aed_dense_shifts[i]);
        logits[i] = (int8_t)clamped(logit + AED_LOGIT_ZERO_POINT);
    }
    activate(logits, scores);
}
