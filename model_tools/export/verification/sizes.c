/* Prints the bytes of the state and of its parts; they are the same on every machine, as it holds no pointers. */
#include <stdio.h>

#include "aed.h"

static struct aed aed;

static void tell(const char *name, size_t bytes)
{
    printf("%s %u\n", name, (unsigned)bytes);
}

int main(void)
{
    tell("state", sizeof aed);
    tell("network", sizeof aed.network);
    tell("front_end", sizeof aed.front_end);
    tell("spectrum", sizeof aed.front_end.spectrum);
    tell("tracker", sizeof aed.tracker);
    tell("history", sizeof aed.tracker.history);
    tell("events", sizeof aed.tracker.events);
    tell("pcm", sizeof aed.pcm.samples);
    tell("rows", sizeof aed.rows);
    tell("levels", sizeof aed.levels);
    return 0;
}
