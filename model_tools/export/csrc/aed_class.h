/* One class: its scores, hop by hop, to starts, updates and ends. */
#ifndef AED_CLASS_H
#define AED_CLASS_H

#include "aed_history.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A sound is noticed when its mean score reaches on_steps; it starts once that has held for confirm_hops in a
   row and it has lasted min_duration_frames; it is heard while its score is at least off_steps; unheard for
   end_after_frames, it ends where it was last audible. */
struct aed_class_rule {
    int32_t min_duration_frames, cooldown_frames, end_after_frames;
    int16_t on_steps, off_steps; /* of the output's quantisation above the score 0 */
    uint16_t smoothing_hops, confirm_hops;
    uint32_t recent_at; /* place of its last smoothing_hops scores in `aed_tracker.recent` */
    uint16_t label;     /* output of the network */
};

extern const struct aed_class_rule aed_class_rules[AED_FOLLOWED];

enum aed_phase { AED_UNHEARD, AED_NOTICED, AED_STARTED };

/* Scores are sums over smoothing_hops. */
struct aed_class {
    int64_t total;
    uint32_t quiet_until, free_from;
    uint32_t onset, offset, heard_at, updated_at;
    uint32_t hops, track;
    int32_t now, best, best_published;
    int32_t recent_sum;
    uint16_t recent_count, recent_next;
    uint16_t hits;
    uint8_t phase;
    bool has_lasted;
    struct aed_sound sound;
};

/* What a hop brings to each class. */
struct aed_hop {
    const struct aed_history *history;
    uint32_t first_frame, last_frame;
};

void aed_class_reset(struct aed_class *state, uint32_t frame);

/* Takes the output's value; `recent` holds smoothing_hops of them. True with the event that it leads to. */
bool aed_class_push(struct aed_class *state, const struct aed_class_rule *rule, int8_t *recent,
                    const struct aed_hop *hop, int8_t score, uint32_t *tracks, struct aed_event *event);

/* Forgets what is heard: true with its end, if it has started. */
bool aed_class_finish(struct aed_class *state, const struct aed_class_rule *rule, uint8_t reason,
                      struct aed_event *event);

#ifdef __cplusplus
}
#endif

#endif /* AED_CLASS_H */
