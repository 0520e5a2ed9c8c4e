#include "aed_network.h"

#include <string.h>

#include "aed_head.h"
#include "aed_rows.h"
#include "aed_windows.h"

void aed_network_init(struct aed_network *network)
{
    memset(network, 0, sizeof *network);
}

bool aed_network_push_row(struct aed_network *network, const int8_t row[AED_MELS])
{
    if (network->queued == AED_QUEUE_ROWS) {
        return false;
    }
    uint8_t *place = network->queue[(network->oldest + network->queued) % AED_QUEUE_ROWS];
    for (int i = 0; i < AED_MELS; ++i) {
        place[i] = (uint8_t)(row[i] + 128);
    }
    place[AED_MELS] = AED_INPUT_PADDING;
    ++network->queued;
    return true;
}

/* What the modes differ in: the walk that rows belong to, the sums that the last stage's are added to, what
   follows a row, and which sums are a patch's. */
#if AED_INCREMENTAL

static struct aed_walk *walk_of(struct aed_network *network)
{
    return network->at_end ? &network->end : &network->walk;
}

static uint16_t *sums_for_row(struct aed_network *network)
{
    if (network->at_end) {
        return aed_ending_sums(network);
    }
    return memset(aed_row_sums(network), 0, sizeof network->sums[0]);
}

static void finish_row(struct aed_network *network, uint32_t stage)
{
    if (!network->at_end) {
        aed_note_row(network, stage);
    }
}

static void make_scores(struct aed_network *network)
{
    uint16_t *sums = aed_ending_sums(network);
    aed_head(sums, network->scores);
    memset(sums, 0, sizeof network->sums[0]);
    network->at_end = false;
    network->ended = true;
}

#elif AED_STREAM

static struct aed_walk *walk_of(struct aed_network *network)
{
    return &network->walk;
}

static uint16_t *sums_for_row(struct aed_network *network)
{
    return memset(network->sums[network->walk.made[AED_LAST] % AED_SUMS], 0, sizeof network->sums[0]);
}

static void finish_row(struct aed_network *network, uint32_t stage)
{
    if (stage == AED_LAST && network->walk.made[AED_LAST] >= AED_SUMS) {
        network->ending = AED_STAGES;
    }
}

static void make_scores(struct aed_network *network)
{
    uint16_t sums[AED_EMBEDDING];
    for (uint32_t c = 0; c < AED_EMBEDDING; ++c) {
        uint32_t sum = 0;
        for (uint32_t row = 0; row < AED_SUMS; ++row) {
            sum += network->sums[row][c];
        }
        sums[c] = (uint16_t)sum;
    }
    aed_head(sums, network->scores);
}

#else

static struct aed_walk *walk_of(struct aed_network *network)
{
    return &network->walk;
}

static uint16_t *sums_for_row(struct aed_network *network)
{
    return network->sums[0];
}

static void finish_row(struct aed_network *network, uint32_t stage)
{
    (void)network;
    (void)stage;
}

static void make_scores(struct aed_network *network)
{
    aed_head(network->sums[0], network->scores);
    memset(network->sums, 0, sizeof network->sums);
    memset(network->walk.made, 0, sizeof network->walk.made);
}

#endif

/* A row of a stage, of the walk that goes on or of the one that ends, or the padding behind its last row. */
static void make_row(struct aed_network *network, uint32_t stage, bool padding)
{
    uint16_t *sums = stage == AED_LAST ? sums_for_row(network) : 0;
    if (aed_make_row(walk_of(network), stage, padding, network->scratch, sums)) {
        network->next = (uint8_t)(stage + 1);
    }
    finish_row(network, stage);
}

/* How many of the rows that the stem needs next are there, 0 if not all; two are the last of a patch. */
static uint32_t rows_for_stem(const struct aed_network *network)
{
    uint32_t wanted = 3;
    if (!AED_STREAM && !AED_INCREMENTAL && network->walk.made[0] == aed_stages[0].rows - 1) {
        wanted = 2;
    }
    return network->queued >= wanted ? wanted : 0;
}

static void make_stem_row(struct aed_network *network, uint32_t rows)
{
    aed_gather(network, rows, aed_input_of(network->scratch, 0));
    make_row(network, 0, false);
    if (rows == 2) {
        network->ending = 1;
    }
}

/* What can be done without new rows, but for a row of the stem. */
static bool is_pending(const struct aed_network *network)
{
#if AED_INCREMENTAL
    if (aed_edge_is_due(network) || aed_patch_ends(network)) {
        return true;
    }
#endif
    return network->next != 0 || network->ending != 0;
}

static void begin_row(struct aed_network *network)
{
#if AED_INCREMENTAL
    if (aed_make_edge(network)) {
        return;
    }
    if (aed_patch_ends(network)) {
        aed_begin_end(network);
        make_stem_row(network, 2);
        return;
    }
#endif
    uint32_t rows = rows_for_stem(network);
    if (rows != 0) {
#if AED_INCREMENTAL
        network->ended = false;
#endif
        make_stem_row(network, rows);
        network->oldest = (uint8_t)((network->oldest + 2) % AED_QUEUE_ROWS);
        network->queued = (uint8_t)(network->queued - 2);
    }
}

/* The deepest stage that can goes first: so a row is used before another takes its place. */
bool aed_network_step(struct aed_network *network)
{
    uint32_t stage = network->next;
    if (stage != 0) {
        network->next = 0;
        make_row(network, stage, false);
    } else if (network->ending == AED_STAGES) {
        network->ending = 0;
        make_scores(network);
        network->ready = true;
    } else if (network->ending != 0) {
        stage = network->ending - 1u;
        ++network->ending;
        make_row(network, stage, true);
    } else {
        begin_row(network);
    }
    return is_pending(network) || rows_for_stem(network) != 0;
}

bool aed_network_scores(struct aed_network *network, int8_t scores[AED_CLASSES])
{
    bool ready = network->ready;
    if (ready) {
        memcpy(scores, network->scores, AED_CLASSES);
        network->ready = false;
    }
    return ready;
}

int32_t aed_network_row(const struct aed_network *network, uint32_t stage, uint8_t *values)
{
    static const uint8_t places[4] = {0, 2, 1, 3};
    const struct aed_stage *s = &aed_stages[stage];
    uint32_t words = s->columns / 4u, row = network->walk.made[stage] - 1u;
    if (stage >= AED_LAST || network->walk.made[stage] == 0) {
        return -1;
    }
    for (uint32_t channel = 0; channel < 2u * s->outputs; ++channel) {
        for (uint32_t column = 0; column < s->columns; ++column) {
            uint32_t at = s->ring + (2 * channel + row % 2) * words + column / 4;
            values[column * 2 * s->outputs + channel] =
                (uint8_t)(network->walk.rings[at] >> 8 * places[column % 4]);
        }
    }
    return (int32_t)row;
}
