/* Runs the self-test in the emulator, and prints what the parts take: instructions, stack. */
#include "aed_emulator.h"
#include "aed_rows.h"
#include "aed_selftest.h"

#define SOUND_BLOCKS (AED_VECTOR_BLOCKS / 2)

/* Rows until all goes its way, and those of a number of decisions. */
#define ALONE (!AED_STREAM && !AED_INCREMENTAL)
#define FIRST_ROWS (2 * AED_PATCH_FRAMES)
#define DECISION_ROWS (ALONE ? AED_PATCH_FRAMES : AED_HOP_FRAMES)
#define DECISIONS ((2 * AED_PATCH_FRAMES + DECISION_ROWS - 1) / DECISION_ROWS)

static struct aed aed;
static uint32_t counted[AED_STAGES + 1], call;

/* Which stage the next step belongs to; the last number is that of the scores. */
static uint32_t stage_of(const struct aed_network *network)
{
    if (network->next != 0) {
        return network->next;
    }
    if (network->ending != 0) {
        return network->ending == AED_STAGES ? AED_STAGES : network->ending - 1u;
    }
#if AED_INCREMENTAL
    for (uint32_t stage = AED_LAST; stage != 0; --stage) {
        if (network->due[stage - 1] != 0) {
            return stage;
        }
    }
#endif
    return 0;
}

static void print_stage(uint32_t stage, uint32_t instructions)
{
    char name[] = "stage_00";
    name[6] = (char)('0' + stage / 10);
    name[7] = (char)('0' + stage % 10);
    aed_print_number(name, instructions);
}

static void measure_network(void)
{
    uint32_t noise = 0, rows = (ALONE ? 0 : FIRST_ROWS) + DECISIONS * DECISION_ROWS;
    aed_network_init(&aed.network);
    for (uint32_t number = 0; number < rows; ++number) {
        int8_t row[AED_MELS];
        bool more = true;
        aed_vector_row(&noise, number, row);
        aed_network_push_row(&aed.network, row);
        while (more) {
            uint32_t stage = stage_of(&aed.network), begin = aed_instructions();
            more = aed_network_step(&aed.network);
            uint32_t taken = aed_instructions() - begin - call;
            if (ALONE || number >= FIRST_ROWS) {
                counted[stage] += taken;
            }
        }
    }
    aed_print_number("decisions", DECISIONS);
    for (uint32_t stage = 0; stage <= AED_STAGES; ++stage) {
        print_stage(stage, counted[stage]);
    }
}

static void measure_front_end(void)
{
    struct aed_vector_sound sound;
    struct aed_dc dc;
    uint32_t dc_most = 0, most = 0, level_most = 0;
    aed_vector_begin(&sound);
    aed_dc_reset(&dc);
    aed_front_end_init(&aed.front_end);
    for (uint32_t block = 0; block < AED_VECTOR_BLOCKS; ++block) {
        int16_t pcm[AED_BLOCK_SAMPLES];
        aed_sample samples[AED_BLOCK_SAMPLES];
        int8_t row[AED_MELS];
        aed_vector_pcm(&sound, pcm);
        uint32_t begin = aed_instructions();
        aed_dc_push(&dc, pcm, samples);
        uint32_t taken = aed_instructions() - begin - call;
        dc_most = taken > dc_most ? taken : dc_most;
        begin = aed_instructions();
        aed_front_end_push(&aed.front_end, samples, row);
        taken = aed_instructions() - begin - call;
        most = taken > most ? taken : most;
        begin = aed_instructions();
        aed_level_of(samples);
        taken = aed_instructions() - begin - call;
        level_most = taken > level_most ? taken : level_most;
    }
    aed_print_number("dc_most", dc_most);
    aed_print_number("front_end_most", most);
    aed_print_number("level_most", level_most);
}

static void measure_system(void)
{
    struct aed_vector_sound sound;
    struct aed_event event;
    uint32_t most = 0, push_most = 0, heard = 0;
    aed_vector_begin(&sound);
    aed_init(&aed);
    aed_stack_paint();
    for (uint32_t block = 0; block < SOUND_BLOCKS; ++block) {
        int16_t pcm[AED_BLOCK_SAMPLES];
        bool working = true;
        aed_vector_pcm(&sound, pcm);
        uint32_t begin = aed_instructions();
        aed_push_pcm(&aed, pcm, AED_BLOCK_SAMPLES);
        uint32_t taken = aed_instructions() - begin - call;
        push_most = taken > push_most ? taken : push_most;
        while (working) {
            begin = aed_instructions();
            working = aed_step(&aed);
            taken = aed_instructions() - begin - call;
            most = taken > most ? taken : most;
            while (aed_poll(&aed, &event)) {
                working = true;
                ++heard;
            }
        }
    }
    aed_print_number("stack", (uint32_t)aed_stack_used());
    aed_print_number("step_most", most);
    aed_print_number("push_most", push_most);
    aed_print_number("events", heard);
}

int main(void)
{
    call = aed_instructions();
    call = aed_instructions() - call;
    aed_print_number("state", sizeof aed);
    measure_system();
    measure_network();
    measure_front_end();
    struct aed_difference found = aed_selftest(&aed);
    aed_print_number("part", (uint32_t)found.part);
    aed_print_number("place", found.place);
    aed_print_number("detail", found.detail);
    aed_print_number("expected", (uint32_t)found.expected);
    aed_print_number("found", (uint32_t)found.found);
    return (int)found.part;
}
