#include "aed_selftest.h"

#include <string.h>

#include "aed_stages.h"

#define FIELDS 12

static const struct aed_difference none = {AED_NO_DIFFERENCE, 0, 0, 0, 0};

static struct aed_difference differs(enum aed_part part, uint32_t place, uint32_t detail, int64_t expected,
                                     int64_t found)
{
    struct aed_difference difference = {part, place, detail, expected, found};
    return difference;
}

static uint32_t next_noise(uint32_t noise)
{
    return noise * UINT32_C(1664525) + UINT32_C(1013904223);
}

/* The upper half of a number as one from -amplitude / 2 to amplitude / 2. */
static int32_t scaled(uint32_t number, uint32_t amplitude)
{
    return (int32_t)((number >> 16) * amplitude >> 16) - (int32_t)(amplitude / 2);
}

void aed_vector_begin(struct aed_vector_sound *sound)
{
    memset(sound, 0, sizeof *sound);
}

void aed_vector_pcm(struct aed_vector_sound *sound, int16_t pcm[AED_BLOCK_SAMPLES])
{
    const struct aed_vector_block *block = &aed_vector_blocks[sound->block++ % AED_VECTOR_BLOCKS];
    for (int i = 0; i < AED_BLOCK_SAMPLES; ++i) {
        sound->noise = next_noise(sound->noise);
        sound->phase += (uint32_t)block->step << 16;
        int32_t value = scaled(sound->noise, block->noise) + scaled(sound->phase, block->wave);
        pcm[i] = (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
    }
}

void aed_vector_row(uint32_t *noise, uint32_t number, int8_t row[AED_MELS])
{
    if (number < AED_VECTOR_ROWS) {
        memcpy(row, aed_vector_rows[number], AED_MELS);
        return;
    }
    for (int i = 0; i < AED_MELS; ++i) {
        *noise = next_noise(*noise);
        row[i] = (int8_t)scaled(*noise, 255);
    }
}

struct aed_difference aed_selftest_front_end(struct aed_front_end *front_end)
{
    struct aed_vector_sound sound;
    struct aed_dc dc;
    uint32_t made = 0;
    aed_vector_begin(&sound);
    aed_dc_reset(&dc);
    aed_front_end_init(front_end);
    while (made < AED_VECTOR_FIRST_ROW + AED_VECTOR_ROWS) {
        int16_t pcm[AED_BLOCK_SAMPLES];
        aed_sample samples[AED_BLOCK_SAMPLES];
        int8_t row[AED_MELS];
        aed_vector_pcm(&sound, pcm);
        aed_dc_push(&dc, pcm, samples);
        if (!aed_front_end_push(front_end, samples, row) || made++ < AED_VECTOR_FIRST_ROW) {
            continue;
        }
        const int8_t *expected = aed_vector_rows[made - 1 - AED_VECTOR_FIRST_ROW];
        for (uint32_t i = 0; i < AED_MELS; ++i) {
            if (row[i] != expected[i]) {
                return differs(AED_IN_FRONT_END, made - 1, i, expected[i], row[i]);
            }
        }
    }
    return none;
}

struct progress {
    uint32_t checks[AED_STAGES - 1]; /* CRC-32 of all rows of each stage, inverted */
    int32_t newest[AED_STAGES - 1];
    uint32_t decisions;
};

static uint32_t crc_with(uint32_t crc, const uint8_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        crc ^= values[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (UINT32_C(0xEDB88320) & (0u - (crc & 1u)));
        }
    }
    return crc;
}

/* Adds the row that a step has made. */
static void add_row(struct progress *progress, const struct aed_network *network)
{
    uint8_t values[AED_VECTOR_STAGE_BYTES];
    for (uint32_t stage = 0; stage < AED_STAGES - 1; ++stage) {
        const struct aed_stage *s = &aed_stages[stage];
        uint32_t count = 2u * s->outputs * s->columns;
        int32_t row = aed_network_row(network, stage, values);
        if (row == progress->newest[stage]) {
            continue;
        }
        progress->newest[stage] = row;
        if (row < 0 || (!AED_STREAM && !AED_INCREMENTAL && row == s->rows)) { /* the padding behind a patch */
            continue;
        }
        progress->checks[stage] = crc_with(progress->checks[stage], values, count);
    }
}

static struct aed_difference check_scores(struct progress *progress, struct aed_network *network)
{
    int8_t scores[AED_CLASSES];
    uint32_t decision = progress->decisions;
    if (!aed_network_scores(network, scores)) {
        return none;
    }
    ++progress->decisions;
    for (uint32_t i = 0; i < AED_CLASSES; ++i) {
        int8_t expected = aed_vector_scores[decision % AED_VECTOR_DECISIONS][i];
        if (scores[i] != expected) {
            return differs(AED_IN_SCORES, decision, i, expected, scores[i]);
        }
    }
    return none;
}

struct aed_difference aed_selftest_network(struct aed_network *network)
{
    struct progress progress;
    struct aed_difference in_scores = none;
    uint32_t noise = 0;
    for (uint32_t stage = 0; stage < AED_STAGES - 1; ++stage) {
        progress.checks[stage] = UINT32_MAX;
        progress.newest[stage] = -1;
    }
    progress.decisions = 0;
    aed_network_init(network);
    for (uint32_t number = 0; number < AED_VECTOR_INPUTS; ++number) {
        int8_t row[AED_MELS];
        bool more = true;
        aed_vector_row(&noise, number, row);
        if (!aed_network_push_row(network, row)) {
            return differs(AED_IN_NETWORK, 0, number, 1, 0);
        }
        while (more) {
            struct aed_difference found;
            more = aed_network_step(network);
            add_row(&progress, network);
            found = check_scores(&progress, network);
            if (in_scores.part == AED_NO_DIFFERENCE) {
                in_scores = found;
            }
        }
    }
    for (uint32_t stage = 0; stage < AED_STAGES - 1; ++stage) {
        uint32_t check = ~progress.checks[stage];
        if (check != aed_vector_checks[stage]) {
            return differs(AED_IN_NETWORK, stage, 0, aed_vector_checks[stage], check);
        }
    }
    if (in_scores.part == AED_NO_DIFFERENCE && progress.decisions != AED_VECTOR_DECISIONS) {
        return differs(AED_IN_SCORES, progress.decisions, 0, AED_VECTOR_DECISIONS, progress.decisions);
    }
    return in_scores;
}

/* What of an event is compared: all but score_total and hops. */
static void fields_of(const struct aed_event *event, int64_t fields[FIELDS])
{
    fields[0] = event->type;
    fields[1] = event->label;
    fields[2] = event->track;
    fields[3] = event->start_frame;
    fields[4] = event->end_frame;
    fields[5] = event->score;
    fields[6] = event->score_max;
    fields[7] = event->sound.rms_cdb;
    fields[8] = event->sound.peak_cdb;
    fields[9] = event->sound.floor_cdb;
    fields[10] = event->sound.clipped;
    fields[11] = event->reason;
}

static struct aed_difference check_event(uint32_t number, const struct aed_event *event)
{
    int64_t expected[FIELDS], found[FIELDS];
    if (number >= AED_VECTOR_EVENTS) {
        return differs(AED_IN_EVENTS, number, 0, -1, event->type);
    }
    fields_of(&aed_vector_events[number], expected);
    fields_of(event, found);
    for (uint32_t i = 0; i < FIELDS; ++i) {
        if (found[i] != expected[i]) {
            return differs(AED_IN_EVENTS, number, i, expected[i], found[i]);
        }
    }
    return none;
}

struct aed_difference aed_selftest_events(struct aed *aed)
{
    struct aed_vector_sound sound;
    uint32_t heard = 0;
    aed_vector_begin(&sound);
    aed_init(aed);
    for (uint32_t block = 0; block < AED_VECTOR_BLOCKS; ++block) {
        int16_t pcm[AED_BLOCK_SAMPLES];
        struct aed_event event;
        aed_vector_pcm(&sound, pcm);
        if (!aed_push_pcm(aed, pcm, AED_BLOCK_SAMPLES)) {
            return differs(AED_IN_EVENTS, heard, 0, 1, 0);
        }
        bool working = true;
        while (working) {
            working = aed_step(aed);
            while (aed_poll(aed, &event)) {
                struct aed_difference found = check_event(heard++, &event);
                if (found.part != AED_NO_DIFFERENCE) {
                    return found;
                }
                working = true;
            }
        }
    }
    if (heard != AED_VECTOR_EVENTS) {
        return differs(AED_IN_EVENTS, heard, 0, AED_VECTOR_EVENTS, heard);
    }
    return none;
}

struct aed_difference aed_selftest(struct aed *aed)
{
    struct aed_difference found = aed_selftest_front_end(&aed->front_end);
    if (found.part == AED_NO_DIFFERENCE) {
        found = aed_selftest_network(&aed->network);
    }
    if (found.part == AED_NO_DIFFERENCE) {
        found = aed_selftest_events(aed);
    }
    return found;
}
