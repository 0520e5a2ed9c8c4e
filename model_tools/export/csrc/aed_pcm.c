#include "aed_pcm.h"

#include <string.h>

#define MASK (AED_PCM_SAMPLES - 1u)

void aed_pcm_init(struct aed_pcm *pcm)
{
    memset(pcm, 0, sizeof *pcm);
}

static void count(struct aed_pcm *pcm, size_t samples)
{
    size_t offset = pcm->offset + samples;
    pcm->block += (uint32_t)(offset / AED_BLOCK_SAMPLES);
    pcm->offset = (uint16_t)(offset % AED_BLOCK_SAMPLES);
}

static void go_on(struct aed_pcm *pcm)
{
    pcm->before_first = (uint16_t)(pcm->offset == 0 ? 0 : AED_BLOCK_SAMPLES - pcm->offset);
    pcm->first_block = pcm->block + (pcm->offset == 0 ? 0 : 1);
    pcm->closed = pcm->gaps;
}

bool aed_pcm_push(struct aed_pcm *pcm, const int16_t *samples, size_t samples_count)
{
    uint32_t written = pcm->written;
    if (pcm->closed != pcm->gaps && pcm->told == pcm->gaps) {
        go_on(pcm);
    }
    if (pcm->closed == pcm->gaps && samples_count > AED_PCM_SAMPLES - (written - pcm->read)) {
        ++pcm->gaps;
    }
    count(pcm, samples_count);
    if (pcm->closed != pcm->gaps) {
        return false;
    }
    for (size_t i = 0; i < samples_count; ++i) {
        pcm->samples[(written + i) & MASK] = samples[i];
    }
    pcm->written = written + (uint32_t)samples_count;
    return true;
}

enum aed_pcm_state aed_pcm_take(struct aed_pcm *pcm, int16_t block[AED_BLOCK_SAMPLES], uint32_t *number)
{
    /* In this order: what was written before a gap began has been written. */
    uint8_t gaps = pcm->gaps;
    uint32_t read = pcm->read, waiting = pcm->written - read;
    if (pcm->begun != pcm->told) {
        if (pcm->closed != pcm->told) {
            return AED_PCM_EMPTY;
        }
        if (waiting < pcm->before_first) {
            if (gaps != pcm->told) { /* another gap begins before this one is over */
                pcm->read = pcm->written;
                pcm->told = gaps;
            }
            return AED_PCM_EMPTY;
        }
        pcm->read = read + pcm->before_first;
        pcm->begun = pcm->told;
        *number = pcm->first_block;
        return AED_PCM_GO_ON;
    }
    if (waiting >= AED_BLOCK_SAMPLES) {
        for (uint32_t i = 0; i < AED_BLOCK_SAMPLES; ++i) {
            block[i] = pcm->samples[(read + i) & MASK];
        }
        pcm->read = read + AED_BLOCK_SAMPLES;
        return AED_PCM_BLOCK;
    }
    if (gaps != pcm->told) {
        pcm->read = pcm->written;
        pcm->told = gaps;
        return AED_PCM_GAP;
    }
    return AED_PCM_EMPTY;
}
