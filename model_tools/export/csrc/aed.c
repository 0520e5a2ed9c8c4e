#include "aed.h"

#include <string.h>

static void begin(struct aed *aed, uint32_t block)
{
    aed_dc_reset(&aed->dc);
    aed_front_end_reset(&aed->front_end);
    aed_network_init(&aed->network);
    aed_tracker_reset(&aed->tracker, block);
    aed->origin = block;
    aed->blocks = aed->made = aed->hop = aed->fed = aed->seen = 0;
    aed->feeding = AED_STREAM;
    aed->rested = aed->ending = aed->silent = false;
}

void aed_init(struct aed *aed)
{
    memset(aed, 0, sizeof *aed);
    aed_pcm_init(&aed->pcm);
    aed_tracker_init(&aed->tracker);
    begin(aed, 0);
}

bool aed_push_pcm(struct aed *aed, const int16_t *samples, size_t count)
{
    return aed_pcm_push(&aed->pcm, samples, count);
}

bool aed_poll(struct aed *aed, struct aed_event *event)
{
    return aed_tracker_poll(&aed->tracker, event);
}

/* The tracker's levels up to block `last`. */
static void show_levels(struct aed *aed, uint32_t last)
{
    for (; aed->seen != last; ++aed->seen) {
        aed_tracker_push_levels(&aed->tracker, &aed->levels[aed->seen % AED_LEVELS], 1);
    }
}

void aed_finish(struct aed *aed, enum aed_reason reason)
{
    show_levels(aed, aed->blocks);
    aed_tracker_finish(&aed->tracker, reason);
}

/* What is still needed lies where the next block's row or level would go. */
static bool is_full(const struct aed *aed)
{
    uint32_t needed = aed->hop;
    if (AED_STREAM) {
        needed = aed->fed;
    } else if (aed->feeding) {
        needed += aed->fed - aed->hop < AED_HOP_FRAMES ? aed->fed - aed->hop : AED_HOP_FRAMES;
    }
    return aed->made - needed == AED_ROWS || aed->blocks - aed->seen == AED_LEVELS;
}

static bool take_block(struct aed *aed)
{
    int16_t block[AED_BLOCK_SAMPLES];
    aed_sample samples[AED_BLOCK_SAMPLES];
    uint32_t number;
    switch (aed_pcm_take(&aed->pcm, block, &number)) {
    case AED_PCM_BLOCK:
        aed_dc_push(&aed->dc, block, samples);
        aed->levels[aed->blocks % AED_LEVELS] = aed_level_of(samples);
        ++aed->blocks;
        if (aed_front_end_push(&aed->front_end, samples, aed->rows[aed->made % AED_ROWS])) {
            ++aed->made;
        }
        return true;
    case AED_PCM_GAP:
        aed->ending = true;
        return true;
    case AED_PCM_GO_ON:
        begin(aed, number);
        return true;
    default:
        return false;
    }
}

static void decide(struct aed *aed, const int8_t *scores)
{
    uint32_t first = aed->origin + aed->hop;
    aed_tracker_push_hop(&aed->tracker, scores, first, first + AED_WINDOW_FRAMES);
    aed->hop += AED_HOP_FRAMES;
}

/* Shows the levels of the next decision; true if they pass the gate. */
static bool passes(struct aed *aed)
{
    uint32_t first = aed->origin + aed->hop;
    show_levels(aed, aed->hop + AED_WINDOW_FRAMES);
    return aed_gate_passes(&aed->tracker, first, first + AED_WINDOW_FRAMES);
}

static bool feed(struct aed *aed, uint32_t until)
{
    int8_t scores[AED_CLASSES];
    bool worked = false;
    if (aed->fed != until && aed_network_push_row(&aed->network, aed->rows[aed->fed % AED_ROWS])) {
        ++aed->fed;
        worked = true;
    }
    worked |= aed_network_step(&aed->network);
    if (!aed_network_scores(&aed->network, scores)) {
        return worked;
    }
#if AED_STREAM
    decide(aed, passes(aed) ? scores : NULL);
#else
    decide(aed, scores);
    aed->feeding = false;
#endif
    return true;
}

#if AED_STREAM

static bool listen(struct aed *aed)
{
    return feed(aed, aed->made);
}

#else

/* Patches that overlap go on where the last one ended. */
static void begin_patch(struct aed *aed)
{
    if (!AED_INCREMENTAL) {
        aed->fed = aed->hop;
    } else if (aed->rested) {
        aed_network_init(&aed->network);
        aed->fed = aed->hop;
        aed->rested = false;
    }
}

static bool listen(struct aed *aed)
{
    if (aed->feeding) {
        return feed(aed, aed->hop + AED_PATCH_FRAMES);
    }
    if (aed->made - aed->hop < AED_PATCH_FRAMES) {
        return false;
    }
    aed->feeding = passes(aed);
    if (aed->feeding) {
        begin_patch(aed);
    } else {
        aed->rested = true;
        decide(aed, NULL);
    }
    return true;
}

#endif

/* All that came before a gap has been decided on. */
static void end(struct aed *aed)
{
    aed_finish(aed, AED_GAP);
    aed->ending = false;
    aed->silent = true;
}

bool aed_step(struct aed *aed)
{
    if (!aed->ending && !is_full(aed) && take_block(aed)) {
        return true;
    }
    if (aed->tracker.waiting != 0 || aed->silent) {
        return false;
    }
    if (listen(aed)) {
        return true;
    }
    if (aed->ending) {
        end(aed);
        return true;
    }
    return false;
}
