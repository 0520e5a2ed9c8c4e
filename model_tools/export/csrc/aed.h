/* 16 kHz PCM in, events out.

   The microphone's interrupt calls aed_push_pcm, which queues and nothing else. The main loop calls aed_step,
   which does one bounded piece of work: a 10 ms block through the front end, a row of one layer of the network,
   or a decision; and then aed_poll until there is no event left:

       while (aed_step(&aed)) {
           while (aed_poll(&aed, &event)) { ... }
       }
       sleep until the next interrupt;

   Events are the daemon's: the same tracker, thresholds and levels, in frames of 10 ms since aed_init. */
#ifndef AED_H
#define AED_H

#include "aed_dc.h"
#include "aed_frontend.h"
#include "aed_network.h"
#include "aed_pcm.h"
#include "aed_tracker.h"

#ifdef __cplusplus
extern "C" {
#endif

#if (AED_ROWS & (AED_ROWS - 1)) != 0 || (AED_LEVELS & (AED_LEVELS - 1)) != 0
#error "AED_ROWS and AED_LEVELS must be powers of two: frame numbers begin anew after 2^32"
#endif

struct aed {
    struct aed_pcm pcm;
    struct aed_dc dc;
    struct aed_front_end front_end;
    struct aed_network network;
    struct aed_tracker tracker;
    struct aed_level_frame levels[AED_LEVELS]; /* of the blocks that no decision has seen, by block number */
    int8_t rows[AED_ROWS][AED_MELS];           /* that the network has not got, by frame number */
    uint32_t origin;                           /* block that the stream begins with: frame 0 of the network */
    uint32_t blocks, made;                     /* since then: blocks taken, rows there have been */
    uint32_t hop;                              /* first frame of the next decision */
    uint32_t fed;                              /* next row for the network */
    uint32_t seen;                             /* levels that the tracker has */
    bool feeding;                              /* rows of the next decision go into the network */
    bool rested;                               /* rows were left out: the network begins anew with the next */
    bool ending, silent;                       /* a gap follows what there is; it is there */
};

/* Begins. The state is tens of kB: keep it static. */
void aed_init(struct aed *aed);

/* Queues samples; false if some had to be dropped, because aed_step was not called often enough. What sounds is
   then ended with the reason AED_GAP, and all begins anew behind the gap. */
bool aed_push_pcm(struct aed *aed, const int16_t *samples, size_t count);

/* Does one piece of work; false if there is nothing to do until more samples come, or the events that wait
   have been polled. */
bool aed_step(struct aed *aed);

/* True with the oldest event that waits. */
bool aed_poll(struct aed *aed, struct aed_event *event);

/* Ends what sounds, with a reason, before the microphone is switched off. Call aed_step until there is nothing
   to do first, and aed_poll afterwards; aed_init begins anew. */
void aed_finish(struct aed *aed, enum aed_reason reason);

#ifdef __cplusplus
}
#endif

#endif /* AED_H */
