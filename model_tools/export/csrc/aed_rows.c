#include "aed_rows.h"

uint32_t *aed_input_of(uint32_t scratch[AED_SCRATCH_WORDS], uint32_t stage)
{
    const struct aed_stage *s = &aed_stages[stage];
    return scratch + (stage % 2 == 0 ? 0 : AED_SCRATCH_WORDS - s->columns * s->inputs);
}

void aed_clear(struct aed_window *window, uint32_t words)
{
    for (uint32_t c = 0; c < 2; ++c) {
        for (uint32_t y = 0; y < 3; ++y) {
            window->rows[c][y][0] = window->rows[c][y][1 + words] = 0;
        }
    }
}

void aed_clear_row(struct aed_window *window, uint32_t y, uint32_t words)
{
    memset(&window->rows[0][y][1], 0, words * sizeof(uint32_t));
    memset(&window->rows[1][y][1], 0, words * sizeof(uint32_t));
}

void aed_gather(const struct aed_network *network, uint32_t count, uint32_t *input)
{
    uint8_t padding[AED_QUEUE_BYTES];
    const uint8_t *top = network->queue[network->oldest];
    const uint8_t *middle = network->queue[(network->oldest + 1) % AED_QUEUE_ROWS];
    const uint8_t *bottom = network->queue[(network->oldest + 2) % AED_QUEUE_ROWS];
    if (count == 2) {
        bottom = memset(padding, AED_INPUT_PADDING, sizeof padding);
    }
    for (uint32_t column = 0; column < AED_MELS / 2; ++column) {
        uint32_t *words = input + column / 4 * 20 + column % 4;
        words[0] = top[0] | (uint32_t)top[1] << 16;
        words[4] = top[2] | (uint32_t)middle[0] << 16;
        words[8] = middle[1] | (uint32_t)middle[2] << 16;
        words[12] = bottom[0] | (uint32_t)bottom[1] << 16;
        words[16] = bottom[2];
        top += 2;
        middle += 2;
        bottom += 2;
    }
}

static uint32_t sum_of(const uint32_t *words, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sum += (words[i] & 0x00FF00FF) + (words[i] >> 8 & 0x00FF00FF);
    }
    return (sum & 0xFFFF) + (sum >> 16);
}

void aed_add_sums(const struct aed_window *window, uint32_t pair, uint16_t sums[AED_EMBEDDING])
{
    uint32_t words = aed_stages[AED_LAST].columns / 4u;
    for (uint32_t c = 0; c < 2; ++c) {
        sums[2 * pair + c] = (uint16_t)(sums[2 * pair + c] + sum_of(&window->rows[c][2][1], words));
    }
}

/* The number of the row after `row`. A walk may never end: then numbers repeat, such that what divides
   AED_ROW_CYCLE divides them as before. */
static uint16_t following(uint32_t row)
{
    return (uint16_t)(row + 1 == 2 * AED_ROW_CYCLE ? AED_ROW_CYCLE : row + 1);
}

bool aed_make_row(
    struct aed_walk *walk, uint32_t stage, bool padding, uint32_t scratch[AED_SCRATCH_WORDS],
    uint16_t sums[AED_EMBEDDING])
{
    const struct aed_stage *s = &aed_stages[stage];
    uint32_t words = s->columns / 4u, row = walk->made[stage];
    bool due = stage < AED_LAST && row > 0 && (s->stride == 1 || row % 2 == 0);
    const uint32_t *input = aed_input_of(scratch, stage);
    uint32_t *output = stage < AED_LAST ? aed_input_of(scratch, stage + 1) : 0;
    /* The rows of each channel lie one behind the other, row number i in place i % 2. */
    uint32_t *oldest = walk->rings + s->ring + row % 2 * words;
    uint32_t *middle = walk->rings + s->ring + (row + 1) % 2 * words;
    struct aed_window window;
    aed_clear(&window, words);
    if (row == 1) {
        aed_clear_row(&window, 0, words);
    }
    if (padding) {
        aed_clear_row(&window, 2, words);
    }
    for (uint32_t pair = 0; pair < s->outputs; ++pair) {
        if (!padding) {
            aed_pointwise(s, pair, input, &window);
        }
        if (stage == AED_LAST) {
            aed_add_sums(&window, pair, sums);
            continue;
        }
        if (due) {
            for (uint32_t c = 0; c < 2; ++c) {
                if (row > 1) {
                    aed_copy_row(&window.rows[c][0][1], oldest + 2 * words * c, words);
                }
                aed_copy_row(&window.rows[c][1][1], middle + 2 * words * c, words);
            }
            aed_depthwise(s, pair, &window, output);
        }
        if (!padding) {
            aed_copy_row(oldest, &window.rows[0][2][1], words);
            aed_copy_row(oldest + 2 * words, &window.rows[1][2][1], words);
        }
        oldest += 4 * words;
        middle += 4 * words;
    }
    if (!padding) {
        walk->made[stage] = following(row);
    }
    return due;
}
