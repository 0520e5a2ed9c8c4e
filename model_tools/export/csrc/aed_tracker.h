/* Levels and scores in, events out: the daemon's tracker, equal to it event by event.

   For each hop, in this order: push the levels of its frames, so that `last_frame` - 1 is the newest; ask
   whether the network is to run; push its scores, or NULL; poll until there is no event left. Levels of later
   frames wait with the caller. No function may interrupt another on the same tracker. */
#ifndef AED_TRACKER_H
#define AED_TRACKER_H

#include <stddef.h>

#include "aed_class.h"
#include "aed_loud.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names of the outputs for machines and for people, and of the loud sound. */
extern const char *const aed_slugs[AED_OUTPUTS + 1];
extern const char *const aed_labels[AED_OUTPUTS + 1];

/* AED_QUEUE_EVENTS are as many as a hop, or `aed_tracker_finish` after the levels of one, can lead to. */
struct aed_tracker {
    struct aed_history history;
    struct aed_class classes[AED_FOLLOWED];
    struct aed_loud loud;
    struct aed_event events[AED_QUEUE_EVENTS];
    uint32_t tracks; /* sounds numbered so far */
    uint32_t lost;   /* events that found the queue full: 0 where it is polled empty after every hop */
    uint16_t oldest, waiting;
    bool gate_is_open;
    int8_t recent[AED_RECENT_SCORES];
};

/* Begins at frame 0. */
void aed_tracker_init(struct aed_tracker *tracker);

/* Begins anew, as after a gap, with `frame` as the number of the next frame; sounds are numbered on, events
   that wait stay. `aed_tracker_finish` first, or open sounds are lost. */
void aed_tracker_reset(struct aed_tracker *tracker, uint32_t frame);

void aed_tracker_push_levels(struct aed_tracker *tracker, const struct aed_level_frame *frames, size_t count);

/* Whether the energy gate lets the frames [first_frame, last_frame) through; once per hop. */
bool aed_gate_passes(struct aed_tracker *tracker, uint32_t first_frame, uint32_t last_frame);

/* Takes the AED_OUTPUTS scores of the frames [first_frame, last_frame), one window later than those before;
   NULL where the gate was closed: all are 0. */
void aed_tracker_push_hop(struct aed_tracker *tracker, const int8_t *scores, uint32_t first_frame,
                          uint32_t last_frame);

/* Ends all open sounds where they were last audible. */
void aed_tracker_finish(struct aed_tracker *tracker, enum aed_reason reason);

/* True with the oldest event that waits. */
bool aed_tracker_poll(struct aed_tracker *tracker, struct aed_event *event);

#ifdef __cplusplus
}
#endif

#endif /* AED_TRACKER_H */
