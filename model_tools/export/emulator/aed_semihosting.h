/* Calls of the debugger that the emulator answers; for aed_startup.c. */
#ifndef AED_SEMIHOSTING_H
#define AED_SEMIHOSTING_H

#include <stdint.h>

#define AED_STACK_BYTES (256u * 1024u)

void aed_exit(uint32_t status);

#endif /* AED_SEMIHOSTING_H */
