/* Plays instructions, int32 each, to the tracker and writes rows of int32: the same on host and core.

   LEVEL rms peak clipped | PCM 160 samples | GATE first last | HOP first last has_scores scores ..
   FINISH reason | RESET frame | POLL | JUMP frames: time that passes without frames | TELL_LOST |
   ASK first last earliest: what the history says */
#include <stddef.h>

#include "aed_tracker.h"

#define ROW 16

enum { LEVEL, PCM, GATE, HOP, FINISH, RESET, POLL, JUMP, TELL_LOST, ASK };
enum { EVENT_ROW, LEVEL_ROW, GATE_ROW, LOST_ROW, HISTORY_ROW };

long aed_play(const int32_t *at, long size, int32_t *rows, long room);

static void event_row(const struct aed_event *event, int32_t *row)
{
    row[1] = event->type;
    row[2] = event->label;
    row[3] = event->reason;
    row[4] = (int32_t)event->track;
    row[5] = (int32_t)event->start_frame;
    row[6] = (int32_t)event->end_frame;
    row[7] = event->score;
    row[8] = event->score_max;
    row[9] = (int32_t)(event->score_total / 1000000);
    row[10] = (int32_t)(event->score_total % 1000000);
    row[11] = (int32_t)event->hops;
    row[12] = event->sound.rms_cdb;
    row[13] = event->sound.peak_cdb;
    row[14] = event->sound.floor_cdb;
    row[15] = event->sound.clipped;
}

static void level_row(struct aed_level_frame frame, int32_t *row)
{
    row[1] = frame.rms_cdb;
    row[2] = frame.peak_cdb;
    row[3] = frame.clipped;
}

static void history_row(const struct aed_history *history, const int32_t *asked, int32_t *row)
{
    uint32_t first = (uint32_t)asked[0], last = (uint32_t)asked[1], earliest = (uint32_t)asked[2];
    struct aed_sound sound = aed_history_sound(history, first, last, 0);
    row[0] = HISTORY_ROW;
    row[1] = (int32_t)aed_history_onset(history, first, last, earliest);
    row[2] = (int32_t)aed_history_offset(history, first, last);
    row[3] = aed_history_loudest_cdb(history, first, last);
    row[4] = sound.peak_cdb;
    row[5] = sound.clipped;
    row[6] = aed_noise_floor_cdb(&history->floor);
    row[7] = aed_noise_floor_estimate_cdb(&history->floor);
}

/* The number of rows; -1 if there are more than `room`. */
long aed_play(const int32_t *at, long size, int32_t *rows, long room)
{
    struct aed_tracker tracker;
    const int32_t *end = at + size;
    long count = 0;
    aed_tracker_init(&tracker);
    while (at < end) {
        int32_t *row = rows + count * ROW;
        struct aed_level_frame frame;
        struct aed_event event;
        aed_sample samples[AED_LEVEL_SAMPLES];
        int8_t scores[AED_OUTPUTS];
        if (room - count < AED_QUEUE_EVENTS) {
            return -1;
        }
        for (int i = 0; i < ROW; ++i) {
            row[i] = 0;
        }
        switch (*at++) {
        case LEVEL:
            frame.rms_cdb = (int16_t)at[0];
            frame.peak_cdb = (int16_t)at[1];
            frame.clipped = at[2] != 0;
            at += 3;
            aed_tracker_push_levels(&tracker, &frame, 1);
            break;
        case PCM:
            for (int i = 0; i < AED_LEVEL_SAMPLES; ++i) {
                samples[i] = *at++ * AED_SAMPLE_ONE;
            }
            frame = aed_level_of(samples);
            aed_tracker_push_levels(&tracker, &frame, 1);
            row[0] = LEVEL_ROW;
            level_row(frame, row);
            ++count;
            break;
        case GATE:
            row[0] = GATE_ROW;
            row[1] = aed_gate_passes(&tracker, (uint32_t)at[0], (uint32_t)at[1]);
            at += 2;
            ++count;
            break;
        case HOP:
            for (int i = 0; i < AED_OUTPUTS; ++i) {
                scores[i] = (int8_t)at[3 + i];
            }
            aed_tracker_push_hop(&tracker, at[2] ? scores : NULL, (uint32_t)at[0], (uint32_t)at[1]);
            at += 3 + AED_OUTPUTS;
            break;
        case FINISH:
            aed_tracker_finish(&tracker, (enum aed_reason)*at++);
            break;
        case RESET:
            aed_tracker_reset(&tracker, (uint32_t)*at++);
            break;
        case POLL:
            for (; aed_tracker_poll(&tracker, &event); ++count) {
                rows[count * ROW] = EVENT_ROW;
                event_row(&event, rows + count * ROW);
            }
            break;
        case JUMP:
            tracker.history.end += (uint32_t)*at++;
            break;
        case ASK:
            history_row(&tracker.history, at, row);
            at += 3;
            ++count;
            break;
        default:
            row[0] = LOST_ROW;
            row[1] = (int32_t)tracker.lost;
            ++count;
            break;
        }
    }
    return count;
}
