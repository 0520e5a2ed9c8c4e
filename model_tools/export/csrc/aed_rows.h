/* A walk along time: each stage keeps its last two rows, and makes the next from one row of the stage before. */
#ifndef AED_ROWS_H
#define AED_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "aed_kernels.h"
#include "aed_network.h"

#define AED_LAST (AED_STAGES - 1)

/* Where a stage reads its input. Two stages that follow each other do not overlap. */
uint32_t *aed_input_of(uint32_t scratch[AED_SCRATCH_WORDS], uint32_t stage);

/* Copies a row of a channel; its words are an even number. memcpy of small C libraries goes byte by byte. */
static inline void aed_copy_row(uint32_t *to, const uint32_t *from, uint32_t words)
{
    if (words == 2) {
        memcpy(to, from, 8);
    } else if (words == 4) {
        memcpy(to, from, 16);
    } else {
        for (uint32_t i = 0; i < words; i += 2) {
            memcpy(to + i, from + i, 8);
        }
    }
}

/* Sets the columns beside rows of `words` to 0. */
void aed_clear(struct aed_window *window, uint32_t words);

/* Sets a row of both channels to 0. */
void aed_clear_row(struct aed_window *window, uint32_t y, uint32_t words);

/* Writes the stem's input, from the three oldest rows of the queue or, before the padding, two. */
void aed_gather(const struct aed_network *network, uint32_t count, uint32_t *input);

/* Makes a row of a stage, or takes the padding behind its last row, and the depthwise row that was waiting for
   it, into the input of the next stage; returns whether there was one. The last stage adds to `sums`. */
bool aed_make_row(
    struct aed_walk *walk, uint32_t stage, bool padding, uint32_t scratch[AED_SCRATCH_WORDS],
    uint16_t sums[AED_EMBEDDING]);

/* Adds the newest rows of a pair of channels of the last stage. */
void aed_add_sums(const struct aed_window *window, uint32_t pair, uint16_t sums[AED_EMBEDDING]);

#endif /* AED_ROWS_H */
