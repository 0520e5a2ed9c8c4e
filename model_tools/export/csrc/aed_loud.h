/* The loud sound: the level over the noise floor, whatever the network says. */
#ifndef AED_LOUD_H
#define AED_LOUD_H

#include "aed_history.h"

#ifdef __cplusplus
extern "C" {
#endif

struct aed_loud {
    uint32_t onset, last_loud, quiet_until, track;
    struct aed_sound sound;
    bool heard, started;
};

void aed_loud_reset(struct aed_loud *loud, uint32_t frame);

/* Takes the frame that `history` will take next. True with a start, that takes a number from `tracks`, or an
   end. */
bool aed_loud_push(struct aed_loud *loud, const struct aed_history *history, struct aed_level_frame frame,
                   uint32_t *tracks, struct aed_event *event);

/* Ends the sound that is open: true with its end. */
bool aed_loud_finish(struct aed_loud *loud, uint8_t reason, struct aed_event *event);

#ifdef __cplusplus
}
#endif

#endif /* AED_LOUD_H */
