/* What the tracker tells. */
#ifndef AED_EVENT_H
#define AED_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_rules.h"

#ifdef __cplusplus
extern "C" {
#endif

enum aed_event_type { AED_START, AED_UPDATE, AED_END };

/* Why an end is not the sound's own. */
enum aed_reason {
    AED_NO_REASON,
    AED_GAP,
    AED_DEVICE_LOST,
    AED_SHUTDOWN,
    AED_INTERRUPTED,
    AED_LISTENING_OFF,
    AED_END_OF_INPUT
};

/* Loudest frame and largest sample since it began, the noise floor when it was first noticed, 0.01 dBFS. */
struct aed_sound {
    int16_t rms_cdb, peak_cdb, floor_cdb;
    bool clipped;
};

/* Score and score_max count steps of the output above the score 0, times the class's smoothing_hops;
   score_total is the sum over `hops` scores. All four are 0 of the loud sound. */
struct aed_event {
    int64_t score_total;
    uint32_t track;                  /* number of the sound, the same in its start, updates and end */
    uint32_t start_frame, end_frame; /* onset, and the first frame after it; end_frame of an AED_END only */
    int32_t score, score_max;
    uint32_t hops;
    struct aed_sound sound;
    uint16_t label; /* output of the network, AED_LOUD_SOUND of the loud sound: place in `aed_slugs` */
    uint8_t type, reason;
};

/* Of two sounds, one after the other; the floor is the first's. */
struct aed_sound aed_sound_joined(struct aed_sound first, struct aed_sound then);

#ifdef __cplusplus
}
#endif

#endif /* AED_EVENT_H */
