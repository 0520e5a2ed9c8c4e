/* Samples in, one int8 row of mel bands out for each block: what the network takes.

   Source files: aed_frontend.c and aed_fft.c, with the generated aed_front_end_tables.h. Compile with
   -ffp-contract=off (what gcc's -std=c99 implies): then every core gives the same bits. */
#ifndef AED_FRONTEND_H
#define AED_FRONTEND_H

#include <stdbool.h>

#include "aed_fft.h"
#include "aed_front_end_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

struct aed_front_end {
    struct aed_complex spectrum[256]; /* scratch */
    aed_sample past[AED_PAST];        /* the end of what came, from the next frame's first sample on */
    uint8_t blocks;                   /* that came since the start, up to 2 */
};

void aed_front_end_init(struct aed_front_end *front_end);

/* Forgets all samples: the next is the first of frame 0. */
void aed_front_end_reset(struct aed_front_end *front_end);

/* Takes the next block. True with the next row, its frame k = 0, 1 .. uses samples
   [160 k + 56, 160 k + 456); false for the first two blocks after the start, which complete no frame. */
bool aed_front_end_push(struct aed_front_end *front_end, const aed_sample samples[AED_HOP], int8_t row[AED_MELS]);

#ifdef __cplusplus
}
#endif

#endif /* AED_FRONTEND_H */
