/* Instructions by the board's dual timer, and the depth of the stack by paint.

   The emulator gives every instruction the same time (-icount), so that the timer counts instructions. */
#include "aed_emulator.h"
#include "aed_semihosting.h"

#define TIMER_LOAD (*(volatile uint32_t *)(AED_TIMER + 0x00u))
#define TIMER_VALUE (*(volatile uint32_t *)(AED_TIMER + 0x04u))
#define TIMER_CONTROL (*(volatile uint32_t *)(AED_TIMER + 0x08u))
#define ENABLED 0x80u
#define WIDTH_32 0x02u
#define PAINT 0xA5C3965Au

extern uint32_t aed_stack_bottom[];

static uint32_t *painted_from;

void aed_start_counter(void)
{
    TIMER_LOAD = 0xFFFFFFFFu;
    TIMER_CONTROL = ENABLED | WIDTH_32;
}

uint32_t aed_instructions(void)
{
    uint64_t ticks = 0xFFFFFFFFu - TIMER_VALUE;
    return (uint32_t)(ticks * AED_TICKS_NUMERATOR / AED_TICKS_DENOMINATOR);
}

void aed_stack_paint(void)
{
    volatile uint32_t *at = aed_stack_bottom;
    uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    painted_from = here;
    while (at < (volatile uint32_t *)here) {
        *at++ = PAINT;
    }
}

size_t aed_stack_used(void)
{
    const volatile uint32_t *at = aed_stack_bottom;
    while (at < (const volatile uint32_t *)painted_from && *at == PAINT) {
        at++;
    }
    return (size_t)((const char *)painted_from - (const char *)at);
}
