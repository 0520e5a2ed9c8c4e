/* Rows of in.pcm to out.rows, and what they took. */
#include "aed_emulator.h"
#include "aed_frontend.h"
static struct aed_front_end state;
static int16_t pcm[AED_HOP];
static aed_sample samples[AED_HOP];
static int8_t rows[4096][AED_MELS];
int main(void)
{
    uint32_t count = 0, most = 0, least = UINT32_MAX, call = aed_instructions();
    call = aed_instructions() - call;
    aed_front_end_init(&state);
    aed_stack_paint();
    for (long at = 0; aed_read_file("in.pcm", pcm, sizeof pcm, at) == sizeof pcm; at += (long)sizeof pcm) {
        for (int i = 0; i < AED_HOP; ++i) {
            samples[i] = pcm[i] * AED_SAMPLE_ONE;
        }
        uint32_t begin = aed_instructions();
        bool complete = aed_front_end_push(&state, samples, rows[count]);
        uint32_t taken = aed_instructions() - begin - call;
        if (complete) {
            ++count;
            most = taken > most ? taken : most;
            least = taken < least ? taken : least;
        }
    }
    aed_print_number("most", most);
    aed_print_number("least", least);
    aed_print_number("stack", (uint32_t)aed_stack_used());
    return aed_write_file("out.rows", rows, count * AED_MELS) == (long)(count * AED_MELS) ? 0 : 1;
}
