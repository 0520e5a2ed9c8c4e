/* What follows the mean: the dense layer and its activation. */
#ifndef AED_HEAD_H
#define AED_HEAD_H

#include <stdint.h>

#include "aed_stages.h"

/* Scores, from the sums of each channel over the `AED_POOLED_ROWS` rows of a patch. */
void aed_head(const uint16_t sums[AED_EMBEDDING], int8_t scores[AED_CLASSES]);

#endif /* AED_HEAD_H */
