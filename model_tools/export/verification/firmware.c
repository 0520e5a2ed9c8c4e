/* The smallest application, of which flash is counted. */
#include "aed.h"

static struct aed aed;
static int16_t samples[AED_BLOCK_SAMPLES];

int main(void)
{
    struct aed_event event;
    int heard = 0;
    aed_init(&aed);
    while (aed_push_pcm(&aed, samples, AED_BLOCK_SAMPLES)) {
        bool working = true;
        while (working) {
            working = aed_step(&aed);
            while (aed_poll(&aed, &event)) {
                ++heard;
            }
        }
    }
    aed_finish(&aed, AED_SHUTDOWN);
    return heard;
}
