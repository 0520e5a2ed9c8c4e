/* The last layer and its arithmetic, for ctypes. */
#include <stddef.h>

#include "aed_head.c"

void activations(const int8_t *logits, size_t count, int8_t *scores);
int32_t high_product(int32_t a, int32_t b);
int32_t shifted(int32_t value, uint32_t shift);
int32_t rounded_once(int32_t a, int32_t b, uint32_t shift);

int32_t high_product(int32_t a, int32_t b)
{
    return aed_high_product(a, b);
}

int32_t shifted(int32_t value, uint32_t shift)
{
    return aed_shifted(value, shift);
}

int32_t rounded_once(int32_t a, int32_t b, uint32_t shift)
{
    return aed_rounded_once(a, b, shift);
}

void activations(const int8_t *logits, size_t count, int8_t *scores)
{
    for (size_t i = 0; i < count; ++i) {
        activate(logits + i * AED_CLASSES, scores + i * AED_CLASSES);
    }
}
