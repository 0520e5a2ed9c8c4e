/* The levels of the last frames, and where in them a sound begins and ends, to the 10 ms frame.

   Windows are frames [first, last), the last of which has been pushed; what is no longer kept is left out. */
#ifndef AED_HISTORY_H
#define AED_HISTORY_H

#include "aed_event.h"
#include "aed_level.h"
#include "aed_noise_floor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct aed_history {
    uint32_t end; /* number of the next frame */
    uint16_t kept, next;
    struct aed_noise_floor floor;
    int16_t rms_cdb[AED_HISTORY_FRAMES], peak_cdb[AED_HISTORY_FRAMES];
    uint8_t clipped[(AED_HISTORY_FRAMES + 7) / 8];
};

/* Forgets the past; the next frame has the number `frame`. */
void aed_history_reset(struct aed_history *history, uint32_t frame);
void aed_history_push(struct aed_history *history, struct aed_level_frame frame);

/* Level of the loudest frame, 0.01 dBFS. */
int16_t aed_history_loudest_cdb(const struct aed_history *history, uint32_t first, uint32_t last);

/* How loud the frames were together. */
struct aed_sound aed_history_sound(const struct aed_history *history, uint32_t first, uint32_t last,
                                   int16_t floor_cdb);

/* The frame at which the sound heard in [first, last) begins, not before `earliest` < last: the first audible
   one of the window, or the first of those that lead up to it without a pause of more than 10 frames. Audible
   are frames within 20 dB of the loudest, 6 dB over the noise floor and, where the loudest is, 6 dB over the
   median of what came before the window. A sound that does not stand out of the floor begins with the
   window. */
uint32_t aed_history_onset(const struct aed_history *history, uint32_t first, uint32_t last,
                           uint32_t earliest);

/* The frame after the last audible one. */
uint32_t aed_history_offset(const struct aed_history *history, uint32_t first, uint32_t last);

#ifdef __cplusplus
}
#endif

#endif /* AED_HISTORY_H */
