/* The last layer alone, for ctypes. */
#include <stddef.h>

#include "aed_head.c"

void activations(const int8_t *logits, size_t count, int8_t *scores);

void activations(const int8_t *logits, size_t count, int8_t *scores)
{
    for (size_t i = 0; i < count; ++i) {
        activate(logits + i * AED_CLASSES, scores + i * AED_CLASSES);
    }
}
