/* From reset to main, and from a fault to an exit status that is not 0. */
#include <stdint.h>
#include <string.h>

#include "aed_emulator.h"
#include "aed_semihosting.h"

extern uint32_t aed_stack_top[], aed_data_begin[], aed_data_end[], aed_data_stored[], aed_bss_begin[],
    aed_bss_end[];
extern int main(void);

void aed_reset(void);
void aed_fault(void);
void aed_tell_fault(const uint32_t *frame);

struct vectors {
    uint32_t *stack;
    void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) const struct vectors aed_vectors = {
    aed_stack_top,
    {aed_reset, aed_fault, aed_fault, aed_fault, aed_fault, aed_fault, aed_fault, aed_fault, aed_fault,
     aed_fault, aed_fault, aed_fault, aed_fault, aed_fault, aed_fault},
};

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CFSR (*(volatile uint32_t *)0xE000ED28u)
#define FAULT_STATUS 255u

static size_t bytes_between(const uint32_t *begin, const uint32_t *end)
{
    return (uintptr_t)end - (uintptr_t)begin;
}

void aed_reset(void)
{
    CPACR |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    memcpy(aed_data_begin, aed_data_stored, bytes_between(aed_data_begin, aed_data_end));
    memset(aed_bss_begin, 0, bytes_between(aed_bss_begin, aed_bss_end));
    aed_start_counter();
    aed_stack_paint();
    aed_exit((uint32_t)main());
}

/* The stack may be what failed: begin a new one. */
__attribute__((naked)) void aed_fault(void)
{
    __asm__("mov r0, sp\n\tldr sp, =aed_stack_top\n\tb aed_tell_fault");
}

void aed_tell_fault(const uint32_t *frame)
{
    uintptr_t top = (uintptr_t)aed_stack_top;
    aed_print("fault\n");
    aed_print_number("CFSR", CFSR);
    if ((uintptr_t)frame <= top - 32u && (uintptr_t)frame >= top - AED_STACK_BYTES) {
        aed_print_number("PC", frame[6]);
    }
    aed_exit(FAULT_STATUS);
}
