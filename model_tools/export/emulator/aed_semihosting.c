/* Text, files and exit by semihosting. Source: Arm, Semihosting for AArch32 and AArch64, 2.0. */
#include "aed_semihosting.h"

#include <string.h>

#include "aed_emulator.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0A,
    SYS_FLEN = 0x0C,
    SYS_EXIT_EXTENDED = 0x20
};
enum { READ_BINARY = 1, WRITE_BINARY = 5 };
#define APPLICATION_EXIT 0x20026u

static int32_t call(int32_t operation, const void *arguments)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void aed_exit(uint32_t status)
{
    uint32_t arguments[2] = {APPLICATION_EXIT, status};
    for (;;) {
        call(SYS_EXIT_EXTENDED, arguments);
    }
}

void aed_print(const char *text)
{
    call(SYS_WRITE0, text);
}

void aed_print_number(const char *name, uint32_t value)
{
    char digits[12];
    char *at = digits + sizeof digits;
    *--at = '\0';
    *--at = '\n';
    do {
        *--at = (char)('0' + value % 10u);
        value /= 10u;
    } while (value);
    aed_print(name);
    aed_print(" ");
    aed_print(at);
}

static int32_t open_file(const char *name, uint32_t mode)
{
    uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, mode, (uint32_t)strlen(name)};
    return call(SYS_OPEN, arguments);
}

static int32_t with_handle(int32_t operation, int32_t handle, uint32_t second, uint32_t third)
{
    uint32_t arguments[3] = {(uint32_t)handle, second, third};
    return call(operation, arguments);
}

long aed_read_file(const char *name, void *to, size_t size, long offset)
{
    int32_t handle = open_file(name, READ_BINARY);
    int32_t left;
    if (handle < 0) {
        return -1;
    }
    with_handle(SYS_SEEK, handle, (uint32_t)offset, 0);
    left = with_handle(SYS_READ, handle, (uint32_t)(uintptr_t)to, (uint32_t)size);
    with_handle(SYS_CLOSE, handle, 0, 0);
    return (long)size - left;
}

long aed_write_file(const char *name, const void *from, size_t size)
{
    int32_t handle = open_file(name, WRITE_BINARY);
    int32_t left;
    if (handle < 0) {
        return -1;
    }
    left = with_handle(SYS_WRITE, handle, (uint32_t)(uintptr_t)from, (uint32_t)size);
    with_handle(SYS_CLOSE, handle, 0, 0);
    return (long)size - left;
}

long aed_file_length(const char *name)
{
    int32_t handle = open_file(name, READ_BINARY);
    int32_t length;
    if (handle < 0) {
        return -1;
    }
    length = with_handle(SYS_FLEN, handle, 0, 0);
    with_handle(SYS_CLOSE, handle, 0, 0);
    return length;
}
