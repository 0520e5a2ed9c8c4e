/* Walks the rows of a file with and without the kernels in assembly, for a core. */
#include "aed_emulator.h"
#include "aed_network.h"

static struct aed_network network;
static int8_t rows[32][AED_MELS];
static int8_t scores[1024 * AED_CLASSES];

int main(void)
{
    uint32_t made = 0, total = 0, most = 0;
    long offset = 0, size;
    aed_network_init(&network);
    aed_stack_paint();
    while ((size = aed_read_file("rows.bin", rows, sizeof rows, offset)) > 0) {
        offset += size;
        for (long i = 0; i < size / AED_MELS; ++i) {
            bool more = true;
            if (!aed_network_push_row(&network, rows[i])) {
                return 2;
            }
            while (more) {
                uint32_t begin = aed_instructions();
                more = aed_network_step(&network);
                begin = aed_instructions() - begin;
                total += begin;
                most = begin > most ? begin : most;
            }
            if (made < 1024 && aed_network_scores(&network, scores + made * AED_CLASSES)) {
                ++made;
            }
        }
    }
    aed_print_number("stack", (uint32_t)aed_stack_used());
    aed_print_number("instructions", total);
    aed_print_number("most", most);
    aed_print_number("state", (uint32_t)sizeof network);
    return aed_write_file("scores.bin", scores, made * AED_CLASSES) == (long)(made * AED_CLASSES) ? 0 : 3;
}
