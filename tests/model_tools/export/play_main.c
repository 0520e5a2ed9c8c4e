/* A program around aed_play: reads "in", writes "out". */
#include <stdint.h>
#include <stdio.h>

#define SIZE 400000
#define ROWS 12000
#define ROW 16

long aed_play(const int32_t *at, long size, int32_t *rows, long room);

static int32_t in[SIZE], out[ROWS * ROW];

#ifdef AED_EMULATED
#include "aed_emulator.h"

int main(void)
{
    long size = aed_read_file("in", in, sizeof in, 0), rows = aed_play(in, size / 4, out, ROWS);
    return rows < 0 || aed_write_file("out", out, (size_t)rows * ROW * sizeof *out) < 0;
}
#else
int main(void)
{
    FILE *file = fopen("in", "rb");
    long size = file ? (long)fread(in, sizeof *in, SIZE, file) : 0, rows = aed_play(in, size, out, ROWS);
    int failed = rows < 0 || !file || fclose(file) || !(file = fopen("out", "wb"));
    return failed || fwrite(out, sizeof *out * ROW, (size_t)rows, file) != (size_t)rows || fclose(file);
}
#endif
