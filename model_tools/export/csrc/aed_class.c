#include "aed_class.h"

#include <string.h>

#include "aed_frames.h"

void aed_class_reset(struct aed_class *state, uint32_t frame)
{
    memset(state, 0, sizeof *state);
    state->quiet_until = state->free_from = frame;
}

static void tell(const struct aed_class *state, const struct aed_class_rule *rule, uint8_t type,
                 uint8_t reason, struct aed_event *event)
{
    event->type = type;
    event->label = rule->label;
    event->reason = reason;
    event->track = state->track;
    event->start_frame = state->onset;
    event->end_frame = type == AED_END ? state->offset : 0u;
    event->score = state->now;
    event->score_max = state->best;
    event->score_total = state->total;
    event->hops = state->hops;
    event->sound = state->sound;
}

static void end(struct aed_class *state, const struct aed_class_rule *rule, uint8_t reason,
                struct aed_event *event)
{
    state->phase = AED_UNHEARD;
    state->free_from = state->offset;
    state->quiet_until = state->offset + (uint32_t)rule->cooldown_frames;
    tell(state, rule, AED_END, reason, event);
}

/* The mean of the last scores above 0, in smoothing_hops parts of a step, rounded down. */
static int32_t smoothed(struct aed_class *state, const struct aed_class_rule *rule, int8_t *recent,
                        int8_t score)
{
    int32_t hops = rule->smoothing_hops, parts;
    if (state->recent_count == hops) {
        state->recent_sum -= recent[state->recent_next] - AED_ZERO_POINT;
    } else {
        ++state->recent_count;
    }
    recent[state->recent_next] = score;
    state->recent_next = (uint16_t)(state->recent_next + 1 == hops ? 0 : state->recent_next + 1);
    state->recent_sum += score - AED_ZERO_POINT;
    if (state->recent_count == hops) {
        return state->recent_sum;
    }
    parts = state->recent_sum * hops;
    return parts / state->recent_count - (parts % state->recent_count < 0 ? 1 : 0);
}

/* The onset lies at most a window before the window, and not in the sound before. */
static void notice(struct aed_class *state, const struct aed_hop *hop)
{
    const struct aed_history *history = hop->history;
    uint32_t earliest = state->free_from;
    if (aed_frames_since(earliest, hop->last_frame) >= 0) {
        earliest = hop->last_frame - 1u;
    }
    state->phase = AED_NOTICED;
    state->onset = aed_history_onset(history, hop->first_frame, hop->last_frame, earliest);
    state->offset = state->onset + 1u;
    state->heard_at = hop->last_frame;
    state->sound = aed_history_sound(history, state->onset, hop->last_frame,
                                     aed_noise_floor_estimate_cdb(&history->floor));
    state->total = 0;
    state->best = state->best_published = 0;
    state->hops = 0;
    state->hits = 0;
    state->has_lasted = false;
}

/* Extends the sound by what the hop added. */
static void listen(struct aed_class *state, const struct aed_class_rule *rule, const struct aed_hop *hop)
{
    uint32_t from = aed_later_frame(state->heard_at, hop->first_frame);
    state->sound = aed_sound_joined(state->sound, aed_history_sound(hop->history, from, hop->last_frame, 0));
    state->heard_at = hop->last_frame;
    state->offset = aed_later_frame(
        state->offset, aed_history_offset(hop->history, hop->first_frame, hop->last_frame));
    if (aed_frames_since(state->offset, state->onset) >= rule->min_duration_frames) {
        state->has_lasted = true;
    }
}

static bool maybe_start(struct aed_class *state, const struct aed_class_rule *rule, const struct aed_hop *hop,
                        bool audible, uint32_t *tracks, struct aed_event *event)
{
    if (!audible) {
        state->phase = AED_UNHEARD;
    } else if (state->hits >= rule->confirm_hops && state->has_lasted) {
        state->phase = AED_STARTED;
        state->track = (*tracks)++;
        state->updated_at = hop->last_frame;
        state->best_published = state->best;
        tell(state, rule, AED_START, AED_NO_REASON, event);
        return true;
    }
    return false;
}

static bool follow(struct aed_class *state, const struct aed_class_rule *rule, const struct aed_hop *hop,
                   int32_t now, uint32_t *tracks, struct aed_event *event)
{
    bool audible = now >= rule->off_steps * rule->smoothing_hops;
    state->now = now;
    state->best = now > state->best ? now : state->best;
    if (state->hops != UINT32_MAX) {
        state->total += now;
        ++state->hops;
    }
    if (now < rule->on_steps * rule->smoothing_hops) {
        state->hits = 0;
    } else if (state->hits < rule->confirm_hops) {
        ++state->hits;
    }
    if (audible) {
        listen(state, rule, hop);
    }
    if (state->phase == AED_NOTICED) {
        return maybe_start(state, rule, hop, audible, tracks, event);
    }
    if (!audible && aed_frames_since(hop->last_frame, state->heard_at) >= rule->end_after_frames) {
        end(state, rule, AED_NO_REASON, event);
        return true;
    }
    if (aed_frames_since(hop->last_frame, state->updated_at) >= AED_UPDATE_FRAMES) {
        state->updated_at = hop->last_frame - AED_UPDATE_FRAMES;
        if (state->best > state->best_published) {
            state->updated_at = hop->last_frame;
            state->best_published = state->best;
            tell(state, rule, AED_UPDATE, AED_NO_REASON, event);
            return true;
        }
    }
    return false;
}

bool aed_class_push(struct aed_class *state, const struct aed_class_rule *rule, int8_t *recent,
                    const struct aed_hop *hop, int8_t score, uint32_t *tracks, struct aed_event *event)
{
    int32_t now = smoothed(state, rule, recent, score);
    uint32_t reach = hop->first_frame - (hop->last_frame - hop->first_frame);
    /* What has gone by is moved along, or it would lie ahead again in 248 days. */
    state->quiet_until = aed_later_frame(state->quiet_until, hop->last_frame);
    state->free_from = aed_later_frame(state->free_from, reach);
    if (state->phase == AED_UNHEARD) {
        if (now < rule->on_steps * rule->smoothing_hops || state->quiet_until != hop->last_frame) {
            return false;
        }
        notice(state, hop);
    }
    return follow(state, rule, hop, now, tracks, event);
}

bool aed_class_finish(struct aed_class *state, const struct aed_class_rule *rule, uint8_t reason,
                      struct aed_event *event)
{
    bool started = state->phase == AED_STARTED;
    if (started) {
        end(state, rule, reason, event);
    }
    state->phase = AED_UNHEARD;
    return started;
}
