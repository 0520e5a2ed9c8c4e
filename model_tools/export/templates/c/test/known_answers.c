/* Compares what this machine computes with the known answers; exit status 0 where nothing differs. */
#include <stdio.h>

#include "aed_selftest.h"

static struct aed aed;

int main(void)
{
    struct aed_difference found = aed_selftest(&aed);
    printf("part %d\nplace %lu\ndetail %lu\nexpected %lld\nfound %lld\n", (int)found.part,
           (unsigned long)found.place, (unsigned long)found.detail, (long long)found.expected,
           (long long)found.found);
    return (int)found.part;
}
