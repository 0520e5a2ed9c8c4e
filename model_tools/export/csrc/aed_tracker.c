#include "aed_tracker.h"

#include <string.h>

/* The place for the next event, taken only if it comes. */
static struct aed_event *place(struct aed_tracker *tracker, struct aed_event *spare)
{
    uint32_t at = (uint32_t)tracker->oldest + tracker->waiting;
    if (tracker->waiting == AED_QUEUE_EVENTS) {
        return spare;
    }
    return &tracker->events[at < AED_QUEUE_EVENTS ? at : at - AED_QUEUE_EVENTS];
}

static void keep(struct aed_tracker *tracker, bool came)
{
    if (!came) {
        return;
    }
    if (tracker->waiting == AED_QUEUE_EVENTS) {
        ++tracker->lost;
    } else {
        ++tracker->waiting;
    }
}

void aed_tracker_init(struct aed_tracker *tracker)
{
    memset(tracker, 0, sizeof *tracker);
    aed_tracker_reset(tracker, 0);
}

void aed_tracker_reset(struct aed_tracker *tracker, uint32_t frame)
{
    aed_history_reset(&tracker->history, frame);
    aed_loud_reset(&tracker->loud, frame);
    for (int i = 0; i < AED_FOLLOWED; ++i) {
        aed_class_reset(&tracker->classes[i], frame);
    }
    tracker->gate_is_open = false;
}

void aed_tracker_push_levels(struct aed_tracker *tracker, const struct aed_level_frame *frames, size_t count)
{
    struct aed_event spare;
    for (; count > 0; --count, ++frames) {
        keep(tracker, aed_loud_push(&tracker->loud, &tracker->history, *frames, &tracker->tracks,
                                    place(tracker, &spare)));
        aed_history_push(&tracker->history, *frames);
    }
}

bool aed_gate_passes(struct aed_tracker *tracker, uint32_t first_frame, uint32_t last_frame)
{
    int32_t loudest = aed_history_loudest_cdb(&tracker->history, first_frame, last_frame);
    tracker->gate_is_open = loudest >= (tracker->gate_is_open ? AED_GATE_CLOSE_CDB : AED_GATE_OPEN_CDB);
    return tracker->gate_is_open;
}

void aed_tracker_push_hop(struct aed_tracker *tracker, const int8_t *scores, uint32_t first_frame,
                          uint32_t last_frame)
{
    struct aed_hop hop = {&tracker->history, first_frame, last_frame};
    struct aed_event spare;
    for (int i = 0; i < AED_FOLLOWED; ++i) {
        const struct aed_class_rule *rule = &aed_class_rules[i];
        int8_t score = (int8_t)(scores ? scores[rule->label] : AED_ZERO_POINT);
        keep(tracker, aed_class_push(&tracker->classes[i], rule, tracker->recent + rule->recent_at, &hop,
                                     score, &tracker->tracks, place(tracker, &spare)));
    }
}

void aed_tracker_finish(struct aed_tracker *tracker, enum aed_reason reason)
{
    struct aed_event spare;
    keep(tracker, aed_loud_finish(&tracker->loud, (uint8_t)reason, place(tracker, &spare)));
    for (int i = 0; i < AED_FOLLOWED; ++i) {
        keep(tracker, aed_class_finish(&tracker->classes[i], &aed_class_rules[i], (uint8_t)reason,
                                       place(tracker, &spare)));
    }
}

bool aed_tracker_poll(struct aed_tracker *tracker, struct aed_event *event)
{
    if (tracker->waiting == 0) {
        return false;
    }
    *event = tracker->events[tracker->oldest];
    tracker->oldest = (uint16_t)(tracker->oldest + 1 < AED_QUEUE_EVENTS ? tracker->oldest + 1 : 0);
    --tracker->waiting;
    return true;
}
