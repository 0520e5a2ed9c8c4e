/* What the example needs of a board. */
#ifndef AED_PORT_H
#define AED_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clocks, pins, a line to print on. */
void aed_port_init(void);

/* Records 16 kHz mono into `samples`, over and over, and calls aed_port_samples from an interrupt whenever a half
   of it is full. */
void aed_port_record(int16_t *samples, size_t count);

/* The application's: takes a half, which stays as it is until the other half is full. */
void aed_port_samples(const int16_t *samples, size_t count);

/* Sleeps until the next interrupt; false if no sound will come any more. */
bool aed_port_wait(void);

/* Prints text that ends with a new line. */
void aed_port_print(const char *text);

#endif /* AED_PORT_H */
