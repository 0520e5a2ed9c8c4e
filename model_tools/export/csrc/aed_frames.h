/* Frame numbers: they count 10 ms and begin anew at 0 after 2^32, 497 days. Those that are compared lie less
   than 2^31 apart, so their order is that of the difference. */
#ifndef AED_FRAMES_H
#define AED_FRAMES_H

#include <stdint.h>

/* Frames from b to a, negative where a comes first. */
static inline int32_t aed_frames_since(uint32_t a, uint32_t b)
{
    uint32_t ahead = a - b;
    return ahead <= INT32_MAX ? (int32_t)ahead : -(int32_t)(~ahead) - 1;
}

static inline uint32_t aed_later_frame(uint32_t a, uint32_t b)
{
    return aed_frames_since(a, b) > 0 ? a : b;
}

#endif /* AED_FRAMES_H */
