#include "aed_history.h"

#include <string.h>

#include "aed_frames.h"

#define RANGE_CDB 2000
#define SNR_CDB 600
#define LEAST_BACKGROUND_FRAMES 20
#define BRIDGE_FRAMES 10
#define UNKNOWN_CDB 1000000

/* Kept frames in a row. */
struct span {
    uint32_t first;
    int count;
};

static struct span between(const struct aed_history *history, uint32_t first, uint32_t last)
{
    uint32_t begin = history->end - history->kept;
    struct span span;
    span.first = aed_later_frame(first, begin);
    if (aed_frames_since(last, history->end) > 0) {
        last = history->end;
    }
    span.count = aed_frames_since(last, span.first);
    if (span.count <= 0) {
        span.first = history->end;
        span.count = 0;
    }
    return span;
}

/* Place of a kept frame. */
static int slot_of(const struct aed_history *history, uint32_t frame)
{
    int slot = history->next - aed_frames_since(history->end, frame);
    return slot < 0 ? slot + AED_HISTORY_FRAMES : slot;
}

static int after(int slot)
{
    return slot + 1 == AED_HISTORY_FRAMES ? 0 : slot + 1;
}

static int32_t loudest_of(const struct aed_history *history, struct span span)
{
    int32_t loudest = AED_SILENCE_CDB;
    for (int slot = slot_of(history, span.first); span.count > 0; --span.count, slot = after(slot)) {
        int32_t level = history->rms_cdb[slot];
        loudest = level > loudest ? level : loudest;
    }
    return loudest;
}

static int32_t audible_cdb(const struct aed_history *history, int32_t loudest)
{
    int32_t over_floor = aed_noise_floor_cdb(&history->floor) + SNR_CDB;
    int32_t in_range = loudest - RANGE_CDB;
    return loudest >= over_floor && over_floor > in_range ? over_floor : in_range;
}

static int count_in(const int16_t *levels, int size, int32_t level)
{
    int count = 0;
    for (int i = 0; i < size; ++i) {
        count += levels[i] <= level ? 1 : 0;
    }
    return count;
}

static int count_up_to(const struct aed_history *history, struct span span, int32_t level)
{
    int slot = slot_of(history, span.first), ahead = AED_HISTORY_FRAMES - slot;
    if (span.count <= ahead) {
        return count_in(history->rms_cdb + slot, span.count, level);
    }
    return count_in(history->rms_cdb + slot, ahead, level) +
           count_in(history->rms_cdb, span.count - ahead, level);
}

/* Median level of the frames kept before `first`, the lower of two; found by halving the range of levels. */
static int32_t background_cdb(const struct aed_history *history, uint32_t first)
{
    struct span span = between(history, history->end - history->kept, first);
    int32_t low = AED_SILENCE_CDB, high;
    if (span.count < LEAST_BACKGROUND_FRAMES) {
        return UNKNOWN_CDB;
    }
    for (high = loudest_of(history, span); low < high;) {
        int32_t middle = low + (high - low) / 2;
        if (count_up_to(history, span, middle) > (span.count - 1) / 2) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return high;
}

void aed_history_reset(struct aed_history *history, uint32_t frame)
{
    memset(history, 0, sizeof *history);
    history->end = frame;
}

void aed_history_push(struct aed_history *history, struct aed_level_frame frame)
{
    int slot = history->next;
    uint8_t bit = (uint8_t)(1u << (slot % 8));
    history->rms_cdb[slot] = frame.rms_cdb;
    history->peak_cdb[slot] = frame.peak_cdb;
    history->clipped[slot / 8] = (uint8_t)((history->clipped[slot / 8] & ~bit) | (frame.clipped ? bit : 0));
    history->next = (uint16_t)after(slot);
    history->kept = (uint16_t)(history->kept + (history->kept < AED_HISTORY_FRAMES ? 1 : 0));
    ++history->end;
    aed_noise_floor_push(&history->floor, frame.rms_cdb);
}

int16_t aed_history_loudest_cdb(const struct aed_history *history, uint32_t first, uint32_t last)
{
    return (int16_t)loudest_of(history, between(history, first, last));
}

struct aed_sound aed_history_sound(const struct aed_history *history, uint32_t first, uint32_t last,
                                   int16_t floor_cdb)
{
    struct span span = between(history, first, last);
    struct aed_sound sound = {AED_SILENCE_CDB, AED_SILENCE_CDB, floor_cdb, false};
    for (int slot = slot_of(history, span.first); span.count > 0; --span.count, slot = after(slot)) {
        struct aed_sound frame = {history->rms_cdb[slot], history->peak_cdb[slot], 0,
                                  ((history->clipped[slot / 8] >> (slot % 8)) & 1) != 0};
        sound = aed_sound_joined(sound, frame);
    }
    return sound;
}

uint32_t aed_history_onset(const struct aed_history *history, uint32_t first, uint32_t last,
                           uint32_t earliest)
{
    struct span window, reach;
    int32_t loudest, audible, over_background;
    uint32_t onset;
    first = aed_later_frame(first, earliest);
    window = between(history, first, last);
    loudest = loudest_of(history, window);
    if (window.count == 0 || loudest < aed_noise_floor_cdb(&history->floor) + SNR_CDB) {
        return first;
    }
    audible = audible_cdb(history, loudest);
    over_background = background_cdb(history, first) + SNR_CDB;
    if (loudest >= over_background && over_background > audible) {
        audible = over_background;
    }
    onset = window.first;
    while (history->rms_cdb[slot_of(history, onset)] < audible) {
        ++onset;
    }
    reach = between(history, earliest, onset);
    for (uint32_t frame = onset; reach.count > 0; --reach.count) {
        --frame;
        if (onset - frame > BRIDGE_FRAMES + 1) {
            break;
        }
        if (history->rms_cdb[slot_of(history, frame)] >= audible) {
            onset = frame;
        }
    }
    return onset;
}

uint32_t aed_history_offset(const struct aed_history *history, uint32_t first, uint32_t last)
{
    struct span span = between(history, first, last);
    int32_t audible = audible_cdb(history, loudest_of(history, span));
    uint32_t offset = span.first + (uint32_t)span.count;
    for (; span.count > 0; --span.count, --offset) {
        if (history->rms_cdb[slot_of(history, offset - 1u)] >= audible) {
            break;
        }
    }
    return offset;
}
