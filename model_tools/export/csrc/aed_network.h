/* The network: rows of mels in, scores out, in bounded pieces of work.

   There are scores of each patch of AED_PATCH_FRAMES rows; the next patch begins with the next row or, where
   AED_INCREMENTAL is 1, AED_HOP_ROWS after the last: then what two patches have in common is computed once.
   Where AED_STREAM is 1 rows belong to no patch; there are scores for each pooled row once there are
   AED_POOLED_ROWS of them. */
#ifndef AED_NETWORK_H
#define AED_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row and a column of padding, a multiple of four. */
#define AED_QUEUE_BYTES (AED_MELS + 4)

/* Two rows of each stage. */
struct aed_walk {
    uint32_t rings[AED_RING_WORDS];
    uint16_t made[AED_STAGES]; /* how many rows, modulo AED_ROW_CYCLE from there on */
};

/* All state; nothing in it is meant for others. */
struct aed_network {
    struct aed_walk walk;
    uint32_t scratch[AED_SCRATCH_WORDS];
    uint16_t sums[AED_SUMS][AED_EMBEDDING];
    uint8_t queue[AED_QUEUE_ROWS][AED_QUEUE_BYTES];
    uint8_t oldest, queued; /* place of the first row in the queue, and how many there are */
    uint8_t next;           /* the stage whose input lies in the scratch memory, 0 if none */
    uint8_t ending;         /* 1 + the stage behind which padding is due, AED_STAGES if the scores are */
    bool ready;             /* whether there are scores */
    int8_t scores[AED_CLASSES];
#if AED_INCREMENTAL
    struct aed_walk end;            /* the walk as it ends where a patch does */
    uint32_t edges[AED_EDGE_WORDS]; /* first rows of patches, which padding changes */
    uint8_t due[AED_STAGES];        /* edge rows that can be made behind a stage, one bit each */
    bool at_end;                    /* whether `next` and `ending` are of `end` */
    bool ended;                     /* whether the patch that ends at the newest row of the stem has its scores */
#endif
};

/* Begins anew: the next row is the first. */
void aed_network_init(struct aed_network *network);

/* Queues a row, values as the network's input is quantised. False if the queue is full: nothing is taken
   until `aed_network_step` has made room. */
bool aed_network_push_row(struct aed_network *network, const int8_t row[AED_MELS]);

/* Does one piece of work: a row of one layer and the depthwise row beside it, or the scores. Returns whether
   there is more to do without another row. */
bool aed_network_step(struct aed_network *network);

/* Hands the scores over, once; false if there are none. Scores that nobody has taken when the next are made
   are lost. */
bool aed_network_scores(struct aed_network *network, int8_t scores[AED_CLASSES]);

/* For verification: the newest row of a stage, q + 128 column by column, and its number; -1 if it has none or
   keeps none, as the last stage. */
int32_t aed_network_row(const struct aed_network *network, uint32_t stage, uint8_t *values);

#ifdef __cplusplus
}
#endif

#endif /* AED_NETWORK_H */
