/* The samples that wait: the writer pushes them, from an interrupt perhaps, the reader takes blocks of 10 ms.

   Nothing is spliced over a gap. The writer drops what does not fit and all that comes until the reader has
   taken the rest and said so; then it goes on, and the next block begins at a multiple of a block's length
   since the start. Either side writes its own variables only; both run on one core. */
#ifndef AED_PCM_H
#define AED_PCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aed_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AED_BLOCK_SAMPLES 160

#if (AED_PCM_SAMPLES & (AED_PCM_SAMPLES - 1)) != 0 || AED_PCM_SAMPLES < 2 * AED_BLOCK_SAMPLES
#error "AED_PCM_SAMPLES must be a power of two, and hold two blocks"
#endif

struct aed_pcm {
    int16_t samples[AED_PCM_SAMPLES];
    /* The writer's. */
    volatile uint32_t written;        /* samples taken */
    uint32_t block;                   /* of the next sample that comes, taken or dropped */
    uint16_t offset;                  /* of that sample in its block */
    volatile uint8_t gaps, closed;    /* gaps begun, gaps ended: equal where there is none */
    volatile uint32_t first_block;    /* first whole block after the last gap */
    volatile uint16_t before_first;   /* samples before it */
    /* The reader's. */
    volatile uint32_t read;           /* samples done with */
    volatile uint8_t told;            /* gaps that it knows of */
    uint8_t begun;                    /* gaps after which it goes on */
};

void aed_pcm_init(struct aed_pcm *pcm);

/* The writer's: false if some of the samples were dropped. */
bool aed_pcm_push(struct aed_pcm *pcm, const int16_t *samples, size_t count);

enum aed_pcm_state { AED_PCM_EMPTY, AED_PCM_BLOCK, AED_PCM_GAP, AED_PCM_GO_ON };

/* The reader's: AED_PCM_BLOCK with the next block; AED_PCM_GAP once when a gap follows; AED_PCM_GO_ON when it is
   over, with the number of the block that comes next. */
enum aed_pcm_state aed_pcm_take(struct aed_pcm *pcm, int16_t block[AED_BLOCK_SAMPLES], uint32_t *number);

#ifdef __cplusplus
}
#endif

#endif /* AED_PCM_H */
