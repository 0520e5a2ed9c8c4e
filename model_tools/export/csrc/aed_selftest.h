/* Known answers, to tell on the device whether it computes what was exported: sound to rows, rows to scores,
   sound to events. In a firmware that does not call it, neither this file's code nor `aed_vectors.c` need be
   linked. */
#ifndef AED_SELFTEST_H
#define AED_SELFTEST_H

#include "aed.h"
#include "aed_vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

enum aed_part { AED_NO_DIFFERENCE, AED_IN_FRONT_END, AED_IN_NETWORK, AED_IN_SCORES, AED_IN_EVENTS };

/* The first difference: in which part; the row and its band, the stage of the network, the decision and its
   class, or the event and its field, all from 0. */
struct aed_difference {
    enum aed_part part;
    uint32_t place, detail;
    int64_t expected, found;
};

/* Compares everything; some seconds on a microcontroller. The state is overwritten: aed_init follows. */
struct aed_difference aed_selftest(struct aed *aed);

/* The parts of it. */
struct aed_difference aed_selftest_front_end(struct aed_front_end *front_end);
struct aed_difference aed_selftest_network(struct aed_network *network);
struct aed_difference aed_selftest_events(struct aed *aed);

/* The sound of the vectors: noise and a sawtooth, whose amplitudes change with each block of 10 ms. */
struct aed_vector_sound {
    uint32_t block, noise, phase;
};
void aed_vector_begin(struct aed_vector_sound *sound);
void aed_vector_pcm(struct aed_vector_sound *sound, int16_t pcm[AED_BLOCK_SAMPLES]);

/* The rows of the network's vectors, from number 0 on: those of the sound, then noise. */
void aed_vector_row(uint32_t *noise, uint32_t number, int8_t row[AED_MELS]);

#ifdef __cplusplus
}
#endif

#endif /* AED_SELFTEST_H */
