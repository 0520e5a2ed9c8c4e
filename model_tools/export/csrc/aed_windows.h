/* Patches that overlap. The rows of a patch are those of a walk that never ends, but for the first and the last
   ones, which the padding at its edges changes: these are made in addition.

   The first rows come from the newest rows of the walk when it has passed them (`aed_make_edge`); for the last
   ones the walk is copied, and ends. */
#ifndef AED_WINDOWS_H
#define AED_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_network.h"

#if AED_INCREMENTAL

/* Notes what the newest row of a stage makes possible; of the last stage, adds it to the patches that have it. */
void aed_note_row(struct aed_network *network, uint32_t stage);

/* Makes one of the first rows of a patch; false if none is due. */
bool aed_make_edge(struct aed_network *network);

bool aed_edge_is_due(const struct aed_network *network);

/* Whether a patch ends before the next row of the stem, and all its rows are in the queue. */
bool aed_patch_ends(const struct aed_network *network);

/* Copies the walk, to end it with the patch. */
void aed_begin_end(struct aed_network *network);

/* The sums of the patch that ends here. */
uint16_t *aed_ending_sums(struct aed_network *network);

/* The sums of one row of the walk. */
uint16_t *aed_row_sums(struct aed_network *network);

#endif

#endif /* AED_WINDOWS_H */
