/* Listens for ever, and prints what it hears. */
#include <stdio.h>

#include "aed.h"
#include "aed_port.h"

#define LINE 96

static struct aed aed;

/* Both halves of the DMA's buffer. */
static int16_t samples[2 * AED_BLOCK_SAMPLES];

void aed_port_samples(const int16_t *half, size_t count)
{
    /* Where samples do not fit, sounds end with the reason AED_GAP, and all begins anew. */
    (void)aed_push_pcm(&aed, half, count);
}

static void tell(const struct aed_event *event)
{
    static const char *const types[] = {"start", "update", "end"};
    char line[LINE];
    uint32_t frame = event->type == AED_END ? event->end_frame : event->start_frame;
    int level = event->sound.rms_cdb / 100;
    /* Frames are 10 ms. */
    (void)snprintf(line, sizeof line, "%s %s %lu.%02lu s %d dBFS track %lu\n", types[event->type],
                   aed_slugs[event->label], (unsigned long)(frame / 100), (unsigned long)(frame % 100), level,
                   (unsigned long)event->track);
    aed_port_print(line);
}

static bool work(void)
{
    struct aed_event event;
    bool worked = aed_step(&aed);
    while (aed_poll(&aed, &event)) {
        tell(&event);
        worked = true;
    }
    return worked;
}

int main(void)
{
    struct aed_event event;
    aed_port_init();
    aed_init(&aed);
    aed_port_record(samples, 2 * AED_BLOCK_SAMPLES);
    do {
        while (work()) {
        }
    } while (aed_port_wait());
    aed_finish(&aed, AED_SHUTDOWN);
    while (aed_poll(&aed, &event)) {
        tell(&event);
    }
    return 0;
}
