/* Walks the rows of rows.bin in the emulator, writes the scores to scores.bin, and prints what it takes. */
#include "aed_emulator.h"
#include "aed_network.h"

#define MOST_SCORES 8192

static struct aed_network network;
static int8_t rows[32][AED_MELS];
static int8_t scores[MOST_SCORES * AED_CLASSES];

int main(void)
{
    uint32_t made = 0, most = 0;
    uint64_t total = 0;
    long offset = 0, size;
    uint32_t call = aed_instructions();
    call = aed_instructions() - call;
    aed_network_init(&network);
    aed_stack_paint();
    while ((size = aed_read_file("rows.bin", rows, sizeof rows, offset)) > 0) {
        offset += size;
        for (long i = 0; i < size / AED_MELS; ++i) {
            bool more = true;
            if (!aed_network_push_row(&network, rows[i])) {
                return 2;
            }
            aed_start_counter();
            while (more) {
                uint32_t begin = aed_instructions();
                more = aed_network_step(&network);
                uint32_t taken = aed_instructions() - begin - call;
                total += taken;
                most = taken > most ? taken : most;
            }
            if (made < MOST_SCORES && aed_network_scores(&network, scores + made * AED_CLASSES)) {
                ++made;
            }
        }
    }
    aed_print_number("stack", (uint32_t)aed_stack_used());
    aed_print_number("millions", (uint32_t)(total / 1000000u));
    aed_print_number("ones", (uint32_t)(total % 1000000u));
    aed_print_number("most", most);
    aed_print_number("state", (uint32_t)sizeof network);
    return aed_write_file("scores.bin", scores, made * AED_CLASSES) == (long)(made * AED_CLASSES) ? 0 : 3;
}
