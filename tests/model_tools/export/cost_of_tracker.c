/* Prints what the tracker takes: bytes, and instructions of a level frame and of hops. */
#include "aed_emulator.h"
#include "aed_tracker.h"

#define QUIET 300u

static struct aed_tracker tracker;
static aed_sample samples[AED_LEVEL_SAMPLES];

static void hop(const char *name, int8_t score)
{
    int8_t scores[AED_OUTPUTS];
    uint32_t last = tracker.history.end, begin;
    for (int i = 0; i < AED_OUTPUTS; ++i) {
        scores[i] = score;
    }
    begin = aed_instructions();
    aed_tracker_push_hop(&tracker, scores, last - AED_WINDOW_FRAMES, last);
    aed_print_number(name, aed_instructions() - begin);
}

int main(void)
{
    struct aed_level_frame frame;
    uint32_t begin, most = 0, last;
    for (int i = 0; i < AED_LEVEL_SAMPLES; ++i) {
        samples[i] = 100 * i * AED_SAMPLE_ONE;
    }
    aed_tracker_init(&tracker);
    aed_print_number("state_bytes", sizeof tracker);
    begin = aed_instructions();
    frame = aed_level_of(samples);
    aed_print_number("level", aed_instructions() - begin);
    aed_stack_paint();
    for (uint32_t i = 0; i < QUIET + AED_WINDOW_FRAMES / 2; ++i) {
        uint32_t taken;
        frame.rms_cdb = (int16_t)((i < QUIET ? -5000 : -2000) - (int)(i * 7u % 100u));
        begin = aed_instructions();
        aed_tracker_push_levels(&tracker, &frame, 1);
        taken = aed_instructions() - begin;
        most = taken > most ? taken : most;
    }
    aed_print_number("push", most);
    last = tracker.history.end;
    begin = aed_instructions();
    aed_gate_passes(&tracker, last - AED_WINDOW_FRAMES, last);
    aed_print_number("gate", aed_instructions() - begin);
    hop("quiet_hop", AED_ZERO_POINT);
    hop("busiest_hop", 127);
    aed_print_number("stack_bytes", (uint32_t)aed_stack_used());
    return 0;
}
