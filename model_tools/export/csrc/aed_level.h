/* Level of a 10 ms frame, in 0.01 dBFS: 0 is a full-scale square wave, AED_SILENCE_CDB digital silence. */
#ifndef AED_LEVEL_H
#define AED_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_rules.h"
#include "aed_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AED_SILENCE_CDB (-12000)

struct aed_level_frame {
    int16_t rms_cdb, peak_cdb;
    bool clipped; /* a sample reached full scale */
};

struct aed_level_frame aed_level_of(const aed_sample samples[AED_LEVEL_SAMPLES]);

#ifdef __cplusplus
}
#endif

#endif /* AED_LEVEL_H */
