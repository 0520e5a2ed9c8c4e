#include "aed_loud.h"

#include <string.h>

#include "aed_frames.h"

static void tell(const struct aed_loud *loud, uint8_t type, uint8_t reason, struct aed_event *event)
{
    memset(event, 0, sizeof *event);
    event->type = type;
    event->label = AED_LOUD_SOUND;
    event->reason = reason;
    event->track = loud->track;
    event->start_frame = loud->onset;
    event->end_frame = type == AED_END ? loud->last_loud + 1u : 0u;
    event->sound = loud->sound;
}

static void end(struct aed_loud *loud, uint8_t reason, struct aed_event *event)
{
    tell(loud, AED_END, reason, event);
    loud->heard = loud->started = false;
    loud->quiet_until = loud->last_loud + 1u + AED_LOUD_COOLDOWN_FRAMES;
}

void aed_loud_reset(struct aed_loud *loud, uint32_t frame)
{
    memset(loud, 0, sizeof *loud);
    loud->quiet_until = frame;
}

/* Whether the frame is loud enough to start a sound, or for one that has started to go on. */
static bool is_loud(const struct aed_loud *loud, const struct aed_noise_floor *floor, int32_t rms_cdb)
{
    int32_t least = aed_noise_floor_cdb(floor) + AED_LOUD_SNR_CDB;
    if (!aed_noise_floor_settled(floor)) {
        return false;
    }
    least = least > AED_LOUD_MIN_LEVEL_CDB ? least : AED_LOUD_MIN_LEVEL_CDB;
    return rms_cdb >= (loud->started ? least - AED_LOUD_HYSTERESIS_CDB : least);
}

bool aed_loud_push(struct aed_loud *loud, const struct aed_history *history, struct aed_level_frame frame,
                   uint32_t *tracks, struct aed_event *event)
{
    uint32_t now = history->end;
    struct aed_sound sound = {frame.rms_cdb, frame.peak_cdb, 0, frame.clipped};
    bool is_now_loud;
    if (!AED_LOUD_ENABLED) {
        return false;
    }
    is_now_loud = is_loud(loud, &history->floor, frame.rms_cdb);
    loud->quiet_until = aed_later_frame(loud->quiet_until, now); /* or it would lie ahead again in 248 days */
    if (!loud->heard) {
        if (!is_now_loud || loud->quiet_until != now) {
            return false;
        }
        loud->heard = true;
        loud->onset = now;
        loud->sound = sound;
        loud->sound.floor_cdb = aed_noise_floor_cdb(&history->floor);
    }
    if (is_now_loud) {
        loud->last_loud = now;
        loud->sound = aed_sound_joined(loud->sound, sound);
    }
    if (loud->started) {
        if (is_now_loud || aed_frames_since(now, loud->last_loud) < AED_LOUD_END_AFTER_FRAMES) {
            return false;
        }
        end(loud, AED_NO_REASON, event);
        return true;
    }
    if (!is_now_loud) {
        loud->heard = false;
    } else if (aed_frames_since(now, loud->onset) + 1 >= AED_LOUD_MIN_DURATION_FRAMES) {
        loud->started = true;
        loud->track = (*tracks)++;
        tell(loud, AED_START, AED_NO_REASON, event);
        return true;
    }
    return false;
}

bool aed_loud_finish(struct aed_loud *loud, uint8_t reason, struct aed_event *event)
{
    bool started = loud->started;
    if (started) {
        end(loud, reason, event);
    }
    loud->heard = false;
    return started;
}
