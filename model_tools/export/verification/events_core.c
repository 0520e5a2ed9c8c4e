/* Listens to 00.pcm, 01.pcm .. in the emulator, each from the beginning, and writes the fields of all events to
   events.bin, behind the number of the file. */
#include "aed.h"
#include "aed_emulator.h"

#define FIELDS 15
#define MOST_EVENTS 4096

static struct aed aed;
static int64_t events[MOST_EVENTS][FIELDS];
static uint32_t heard;

static void poll(uint32_t file)
{
    struct aed_event event;
    while (aed_poll(&aed, &event)) {
        int64_t fields[FIELDS] = {
            file, event.type, event.label, event.track, event.start_frame, event.end_frame, event.score,
            event.score_max, event.score_total, event.hops, event.sound.rms_cdb, event.sound.peak_cdb,
            event.sound.floor_cdb, event.sound.clipped, event.reason,
        };
        for (int i = 0; heard < MOST_EVENTS && i < FIELDS; ++i) {
            events[heard][i] = fields[i];
        }
        ++heard;
    }
}

static bool work(uint32_t file)
{
    bool worked = aed_step(&aed);
    worked |= aed.tracker.waiting != 0;
    poll(file);
    return worked;
}

/* False without such a file, or if samples were dropped. */
static bool listen(uint32_t file, const char *name)
{
    int16_t block[AED_BLOCK_SAMPLES];
    long offset = 0, size;
    aed_init(&aed);
    while ((size = aed_read_file(name, block, sizeof block, offset)) == (long)sizeof block) {
        offset += size;
        if (!aed_push_pcm(&aed, block, AED_BLOCK_SAMPLES)) {
            return false;
        }
        while (work(file)) {
        }
    }
    aed_finish(&aed, AED_END_OF_INPUT);
    poll(file);
    return offset > 0;
}

int main(void)
{
    char name[] = "00.pcm";
    uint32_t file = 0;
    for (; file < 100; ++file) {
        name[0] = (char)('0' + file / 10);
        name[1] = (char)('0' + file % 10);
        if (!listen(file, name)) {
            break;
        }
    }
    aed_print_number("files", file);
    aed_print_number("events", heard);
    size_t bytes = (heard < MOST_EVENTS ? heard : MOST_EVENTS) * sizeof events[0];
    return aed_write_file("events.bin", events, bytes) == (long)bytes ? 0 : 3;
}
