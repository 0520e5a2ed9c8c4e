#include "aed_noise_floor.h"

#include <string.h>

#include "aed_level.h"

#define AVERAGE_FRAMES 10
#define BLOCK_AVERAGES 10

/* Rounded down, the mean of levels below 0 too. */
static int16_t mean(int32_t sum, int32_t count)
{
    int32_t quotient = sum / count;
    return (int16_t)(quotient - (sum % count < 0 ? 1 : 0));
}

void aed_noise_floor_reset(struct aed_noise_floor *floor)
{
    memset(floor, 0, sizeof *floor);
}

void aed_noise_floor_push(struct aed_noise_floor *floor, int16_t rms_cdb)
{
    int16_t average;
    floor->sum += rms_cdb;
    if (++floor->frames < AVERAGE_FRAMES) {
        return;
    }
    average = mean(floor->sum, AVERAGE_FRAMES);
    floor->sum = 0;
    floor->frames = 0;
    if (floor->averages == 0 || average < floor->block) {
        floor->block = average;
    }
    if (++floor->averages == BLOCK_AVERAGES) {
        floor->past[floor->next] = floor->block;
        floor->next = (uint8_t)((floor->next + 1u) % AED_FLOOR_BLOCKS);
        floor->blocks = (uint8_t)(floor->blocks + (floor->blocks < AED_FLOOR_BLOCKS ? 1u : 0u));
        floor->averages = 0;
    }
}

bool aed_noise_floor_settled(const struct aed_noise_floor *floor)
{
    return floor->blocks > 0;
}

int16_t aed_noise_floor_cdb(const struct aed_noise_floor *floor)
{
    int16_t least = floor->averages > 0 ? floor->block : INT16_MAX;
    if (floor->blocks == 0) {
        return AED_SILENCE_CDB;
    }
    for (int i = 0; i < floor->blocks; ++i) {
        least = floor->past[i] < least ? floor->past[i] : least;
    }
    return least;
}

int16_t aed_noise_floor_estimate_cdb(const struct aed_noise_floor *floor)
{
    if (floor->blocks > 0) {
        return aed_noise_floor_cdb(floor);
    }
    if (floor->averages > 0) {
        return floor->block;
    }
    return floor->frames > 0 ? mean(floor->sum, floor->frames) : AED_SILENCE_CDB;
}
