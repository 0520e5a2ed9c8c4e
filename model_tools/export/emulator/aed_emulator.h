/* What a program that runs in the emulator can ask of it. */
#ifndef AED_EMULATOR_H
#define AED_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

/* Instructions since the counter was started, by the start-up code or again; differences hold up to 2.6e9
   after that. The call itself takes about 10. */
uint32_t aed_instructions(void);
void aed_start_counter(void);

/* Bytes of stack below where `aed_stack_paint` was called last, or below the top, that were in use since. */
size_t aed_stack_used(void);
void aed_stack_paint(void);

void aed_print(const char *text);

/* Prints "name value" and a new line. */
void aed_print_number(const char *name, uint32_t value);

/* Reads up to `size` bytes from `offset` on; the number read, -1 without such a file. */
long aed_read_file(const char *name, void *to, size_t size, long offset);

/* Writes a file anew; the number of bytes written, -1 if it cannot be opened. */
long aed_write_file(const char *name, const void *from, size_t size);

/* Length of a file in bytes, -1 without such a file. */
long aed_file_length(const char *name);

#endif /* AED_EMULATOR_H */
