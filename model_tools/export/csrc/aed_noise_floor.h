/* The level of the quietest moments: the least 100 ms of the last 10 s (minimum statistics; R. Martin, 2001,
   without smoothing in frequency or compensation of the bias). */
#ifndef AED_NOISE_FLOOR_H
#define AED_NOISE_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AED_FLOOR_BLOCKS 10

struct aed_noise_floor {
    int32_t sum;
    int16_t past[AED_FLOOR_BLOCKS]; /* least 100 ms of each second */
    int16_t block;                  /* and of the one that has begun */
    uint8_t frames, averages, blocks, next;
};

void aed_noise_floor_reset(struct aed_noise_floor *floor);
void aed_noise_floor_push(struct aed_noise_floor *floor, int16_t rms_cdb);

/* Whether a whole second has been heard. */
bool aed_noise_floor_settled(const struct aed_noise_floor *floor);

/* In 0.01 dBFS; AED_SILENCE_CDB until it has settled. */
int16_t aed_noise_floor_cdb(const struct aed_noise_floor *floor);

/* For people: before it has settled, the quietest 100 ms (or frame) so far. */
int16_t aed_noise_floor_estimate_cdb(const struct aed_noise_floor *floor);

#ifdef __cplusplus
}
#endif

#endif /* AED_NOISE_FLOOR_H */
