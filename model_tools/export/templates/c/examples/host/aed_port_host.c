/* 16-bit PCM in this machine's byte order from standard input; events to standard output. */
#include <stdio.h>

#include "aed_port.h"

static int16_t *buffer;
static size_t half_count;
static int half;

void aed_port_init(void)
{
}

void aed_port_record(int16_t *samples, size_t count)
{
    buffer = samples;
    half_count = count / 2;
}

bool aed_port_wait(void)
{
    int16_t *samples = buffer + (half ? half_count : 0);
    if (fread(samples, sizeof *samples, half_count, stdin) != half_count) {
        return false;
    }
    half = !half;
    aed_port_samples(samples, half_count);
    return true;
}

void aed_port_print(const char *text)
{
    (void)fputs(text, stdout);
}
