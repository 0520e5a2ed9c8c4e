#include "aed_windows.h"

#if AED_INCREMENTAL

#include <string.h>

#include "aed_rows.h"

#define PATCHES (AED_SUMS - 1) /* that have sums at a time */

/* Rows of a stage from patch to patch. */
static uint32_t hop_of(uint32_t stage)
{
    return (uint32_t)aed_stages[stage].rows * AED_HOP_ROWS / AED_PATCH_FRAMES;
}

/* The row of a stage, counted from the beginning of a patch, with which its edge row `j` behind it can be made. */
static uint32_t needed_for(uint32_t stage, uint32_t j)
{
    return aed_stages[stage].stride == 1 ? j + 1 : 2 * j + 2;
}

static uint32_t *edge_of(struct aed_network *network, uint32_t stage, uint32_t patch, uint32_t row)
{
    const struct aed_edge *edge = &aed_edges[stage];
    uint32_t words = aed_stages[stage].columns / 2u * aed_stages[stage].outputs;
    return network->edges + edge->first + (patch % edge->patches * edge->rows + row) * words;
}

static uint16_t *sums_of(struct aed_network *network, uint32_t patch)
{
    return network->sums[patch % PATCHES];
}

uint16_t *aed_row_sums(struct aed_network *network)
{
    return network->sums[PATCHES];
}

static void add_row(struct aed_network *network, uint32_t row)
{
    uint32_t hop = hop_of(AED_LAST);
    const uint16_t *newest = aed_row_sums(network);
    for (uint32_t at = AED_FIRST_COMMON; at < AED_END_COMMON && at <= row; ++at) {
        if ((row - at) % hop == 0) {
            uint16_t *sums = sums_of(network, (row - at) / hop);
            for (uint32_t c = 0; c < AED_EMBEDDING; ++c) {
                sums[c] = (uint16_t)(sums[c] + newest[c]);
            }
        }
    }
}

void aed_note_row(struct aed_network *network, uint32_t stage)
{
    uint32_t row = network->walk.made[stage] - 1u;
    if (stage == AED_LAST) {
        add_row(network, row);
        return;
    }
    for (uint32_t j = 0; j < aed_edges[stage + 1].rows; ++j) {
        if (row >= needed_for(stage, j) && (row - needed_for(stage, j)) % hop_of(stage) == 0) {
            network->due[stage] = (uint8_t)(network->due[stage] | 1u << j);
        }
    }
}

/* The depthwise row `j` of a patch behind a stage. */
static void make_depthwise_edge(struct aed_network *network, uint32_t stage, uint32_t patch, uint32_t j)
{
    const struct aed_stage *s = &aed_stages[stage];
    uint32_t words = s->columns / 4u, made = network->walk.made[stage];
    uint32_t last = needed_for(stage, j);
    struct aed_window window;
    aed_clear(&window, words);
    if (last < 2) {
        aed_clear_row(&window, 0, words);
    }
    for (uint32_t channel = 0; channel < 2u * s->outputs; ++channel) {
        const uint32_t *ring = network->walk.rings + s->ring + 2 * channel * words;
        for (uint32_t y = 0; y < 3; ++y) {
            uint32_t *to = &window.rows[channel % 2][y][1];
            if (last + y < 2) {
                continue; /* padding */
            }
            if (last + y - 2 < aed_edges[stage].rows) {
                aed_copy_row(to, edge_of(network, stage, patch, last + y - 2) + channel * words, words);
            } else {
                aed_copy_row(to, ring + (made + y + 1) % 2 * words, words);
            }
        }
        if (channel % 2 != 0) {
            aed_depthwise(s, channel / 2, &window, aed_input_of(network->scratch, stage + 1));
        }
    }
}

/* The row of the next stage that comes of it. */
static void make_pointwise_edge(struct aed_network *network, uint32_t stage, uint32_t patch, uint32_t j)
{
    const struct aed_stage *s = &aed_stages[stage];
    uint32_t words = s->columns / 4u;
    struct aed_window window;
    for (uint32_t pair = 0; pair < s->outputs; ++pair) {
        aed_pointwise(s, pair, aed_input_of(network->scratch, stage), &window);
        if (stage == AED_LAST) {
            aed_add_sums(&window, pair, sums_of(network, patch));
        } else {
            uint32_t *edge = edge_of(network, stage, patch, j) + 2 * pair * words;
            aed_copy_row(edge, &window.rows[0][2][1], words);
            aed_copy_row(edge + words, &window.rows[1][2][1], words);
        }
    }
}

/* The deepest goes first: a row is used before that of the next patch takes its place. */
bool aed_make_edge(struct aed_network *network)
{
    for (uint32_t stage = AED_LAST; stage-- != 0;) {
        for (uint32_t j = 0; j < aed_edges[stage + 1].rows; ++j) {
            if ((network->due[stage] >> j & 1) != 0) {
                uint32_t begin = network->walk.made[stage] - 1u - needed_for(stage, j);
                network->due[stage] = (uint8_t)(network->due[stage] & ~(1u << j));
                make_depthwise_edge(network, stage, begin / hop_of(stage), j);
                make_pointwise_edge(network, stage + 1, begin / hop_of(stage), j);
                return true;
            }
        }
    }
    return false;
}

bool aed_edge_is_due(const struct aed_network *network)
{
    uint32_t due = 0;
    for (uint32_t stage = 0; stage < AED_LAST; ++stage) {
        due |= network->due[stage];
    }
    return due != 0;
}

/* Number of the patch of which the next row of the stem would be the last. */
static uint32_t ending_patch(const struct aed_network *network)
{
    return (network->walk.made[0] + 1u - aed_stages[0].rows) / hop_of(0);
}

bool aed_patch_ends(const struct aed_network *network)
{
    uint32_t rows = network->walk.made[0] + 1u;
    return !network->ended && network->queued >= 2 && rows >= aed_stages[0].rows &&
           (rows - aed_stages[0].rows) % hop_of(0) == 0;
}

void aed_begin_end(struct aed_network *network)
{
    aed_copy_row(network->end.rings, network->walk.rings, AED_RING_WORDS);
    memcpy(network->end.made, network->walk.made, sizeof network->end.made);
    network->at_end = true;
}

uint16_t *aed_ending_sums(struct aed_network *network)
{
    return sums_of(network, ending_patch(network));
}

#else
/* A translation unit must not be empty. */
typedef int aed_patches_do_not_overlap;
#endif
