#include "aed_kernels.h"

#ifdef AED_DSP_KERNELS

#include "aed_assembly.h"

/* Eight columns at a time of each of the two channels, of which r14 points to the first of the oldest row. The
   weights of each row are (w0, w1) and (w1, w2), the even channel's in s0 .. s5, the odd one's in s6 .. s11.
   On the stack: four words of the even channel's values; of the even channel its bias at 16, multiplier, h, l; of
   the odd one at 32; input and its end at 48, output at 56, bytes from block to block. */
#define BEGIN \
    "push {r4-r11, lr}\n" \
    "ldrh r9, [r0, #" AED_WIDTH "]\n" \
    "ldrh r11, [r0, #" AED_OUTPUTS "]\n" \
    "add r8, r2, #4\n" \
    "add r9, r8, r9\n" \
    "add r10, r3, r1, lsl #4\n" \
    "lsl r11, r11, #4\n" \
    "push {r8-r11}\n" \
    "add r0, r0, #" AED_DEPTHWISE "\n" \
    "ldmia r0, {r4-r6}\n" \
    "add r12, r1, r1, lsl #3\n" \
    "add r12, r4, r12, lsl #1\n" \
    "add r5, r5, r1, lsl #4\n" \
    "add r6, r6, r1, lsl #1\n" \
    "ldrb r10, [r6, #1]\n" \
    "ldrb r6, [r6]\n" \
    "ldmia r5, {r3, r4, r7, r8}\n" \
    "mov r2, #1\n" \
    "rsb r6, r6, #15\n" \
    "lsl r5, r2, r6\n" \
    "add r5, r5, #32768\n" \
    "add r6, r6, #2\n" \
    "rsb r10, r10, #15\n" \
    "lsl r9, r2, r10\n" \
    "add r9, r9, #32768\n" \
    "add r10, r10, #2\n" \
    "push {r3-r10}\n" \
    "sub sp, sp, #16\n" \
    ".macro aed_unpack at, first, second\n" \
    "ldr r1, [r12, #\\at]\n" \
    "sxtb16 r2, r1\n" \
    "sxtb16 r3, r1, ror #8\n" \
    "pkhbt r4, r2, r3, lsl #16\n" \
    "pkhbt r5, r3, r2\n" \
    "vmov \\first, \\second, r4, r5\n" \
    ".endm\n" \
    "aed_unpack 0, s0, s1\n" \
    "aed_unpack 3, s2, s3\n" \
    "aed_unpack 6, s4, s5\n" \
    "aed_unpack 9, s6, s7\n" \
    "aed_unpack 12, s8, s9\n" \
    "aed_unpack 15, s10, s11\n" \
    ".purgem aed_unpack\n"

/* Columns x0 .. x7 and their neighbours on both sides. */
#define ROW_OF_STRIDE_1 \
    ".macro aed_row at, first, second\n" \
    "vmov r8, r9, \\first, \\second\n" \
    "ldr r12, [lr, #\\at]\n" \
    "uxtb16 r10, r12\n" \
    "uxtb16 r11, r12, ror #8\n" \
    "ldrb r12, [lr, #\\at - 1]\n" \
    "smlabb r0, r12, r8, r0\n" \
    "smlad r0, r10, r9, r0\n" \
    "smlad r1, r10, r8, r1\n" \
    "smlabt r1, r11, r9, r1\n" \
    "smlatb r2, r10, r8, r2\n" \
    "smlad r2, r11, r9, r2\n" \
    "smlad r3, r11, r8, r3\n" \
    "ldr r12, [lr, #\\at + 4]\n" \
    "uxtb16 r10, r12\n" \
    "smlabt r3, r10, r9, r3\n" \
    "smlatb r4, r11, r8, r4\n" \
    "smlad r4, r10, r9, r4\n" \
    "uxtb16 r11, r12, ror #8\n" \
    "smlad r5, r10, r8, r5\n" \
    "smlabt r5, r11, r9, r5\n" \
    "smlatb r6, r10, r8, r6\n" \
    "smlad r6, r11, r9, r6\n" \
    "smlad r7, r11, r8, r7\n" \
    "ldrb r12, [lr, #\\at + 8]\n" \
    "smlabt r7, r12, r9, r7\n" \
    ".endm\n"

/* Columns x0 .. x15 and the neighbour on the right. */
#define ROW_OF_STRIDE_2 \
    ".macro aed_four at, a, b, c\n" \
    "ldr r12, [lr, #\\at]\n" \
    "uxtb16 r10, r12\n" \
    "uxtb16 r11, r12, ror #8\n" \
    ".ifnc \\a, none\n" \
    "smlabt \\a, r10, r9, \\a\n" \
    ".endif\n" \
    "smlad \\b, r10, r8, \\b\n" \
    "smlabt \\b, r11, r9, \\b\n" \
    "smlad \\c, r11, r8, \\c\n" \
    ".endm\n" \
    ".macro aed_row at, first, second\n" \
    "vmov r8, r9, \\first, \\second\n" \
    "aed_four \\at, none, r0, r1\n" \
    "aed_four \\at+4, r1, r2, r3\n" \
    "aed_four \\at+8, r3, r4, r5\n" \
    "aed_four \\at+12, r5, r6, r7\n" \
    "ldrb r12, [lr, #\\at + 16]\n" \
    "smlabt r7, r12, r9, r7\n" \
    ".endm\n"

/* The values of neighbours, in pairs, in r0, r2, r4, r6. */
#define CHANNEL(bias, multiplier, left, weights) \
    "ldr r0, [sp, #" bias "]\n" \
    "mov r1, r0\n" \
    "mov r2, r0\n" \
    "mov r3, r0\n" \
    "mov r4, r0\n" \
    "mov r5, r0\n" \
    "mov r6, r0\n" \
    "mov r7, r0\n" \
    weights \
    "ldr r8, [sp, #" left "]\n" \
    "ldrd r9, r10, [sp, #" multiplier "]\n" \
    ".irp sum, r0, r1, r2, r3, r4, r5, r6, r7\n" \
    "lsl \\sum, \\sum, r8\n" \
    ".endr\n" \
    ".irp sum, r0, r1, r2, r3, r4, r5, r6, r7\n" \
    "smmla \\sum, \\sum, r9, r10\n" \
    ".endr\n" \
    "pkhtb r0, r1, r0, asr #16\n" \
    "pkhtb r2, r3, r2, asr #16\n" \
    "pkhtb r4, r5, r4, asr #16\n" \
    "pkhtb r6, r7, r6, asr #16\n" \
    ".irp sum, r0, r2, r4, r6\n" \
    "usat16 \\sum, #8, \\sum\n" \
    ".endr\n"

#define STRIPS(row, bytes) \
    __asm__( \
        BEGIN row \
        ".set aed_row_bytes, " AED_ROW_BYTES "\n" \
        "1:\n" \
        "ldr lr, [sp, #48]\n" \
        CHANNEL( \
            "16", "20", "28", \
            "aed_row 0, s0, s1\n" \
            "aed_row aed_row_bytes, s2, s3\n" \
            "aed_row 2*aed_row_bytes, s4, s5\n") \
        "stmia sp, {r0, r2, r4, r6}\n" \
        "add lr, lr, #(3 * aed_row_bytes)\n" \
        CHANNEL( \
            "32", "36", "44", \
            "aed_row 0, s6, s7\n" \
            "aed_row aed_row_bytes, s8, s9\n" \
            "aed_row 2*aed_row_bytes, s10, s11\n") \
        /* Pairs of channels in place of pairs of neighbours. */ \
        "ldmia sp, {r1, r3, r5, r7}\n" \
        "pkhbt r8, r1, r0, lsl #16\n" \
        "pkhtb r9, r0, r1, asr #16\n" \
        "pkhbt r10, r3, r2, lsl #16\n" \
        "pkhtb r11, r2, r3, asr #16\n" \
        "ldrd r0, r1, [sp, #56]\n" \
        "stmia r0, {r8-r11}\n" \
        "add r0, r0, r1\n" \
        "pkhbt r8, r5, r4, lsl #16\n" \
        "pkhtb r9, r4, r5, asr #16\n" \
        "pkhbt r10, r7, r6, lsl #16\n" \
        "pkhtb r11, r6, r7, asr #16\n" \
        "stmia r0, {r8-r11}\n" \
        "add r0, r0, r1\n" \
        "str r0, [sp, #56]\n" \
        "ldrd r8, r9, [sp, #48]\n" \
        "add r8, r8, #" bytes "\n" \
        "str r8, [sp, #48]\n" \
        "cmp r8, r9\n" \
        "bne 1b\n" \
        ".purgem aed_row\n" \
        "add sp, sp, #64\n" \
        "pop {r4-r11, pc}\n")

static AED_ASSEMBLY void stride_1(
    const struct aed_stage *stage AED_UNUSED, uint32_t pair AED_UNUSED, const struct aed_window *window AED_UNUSED,
    uint32_t *output AED_UNUSED)
{
    STRIPS(ROW_OF_STRIDE_1, "8");
}

static AED_ASSEMBLY void stride_2(
    const struct aed_stage *stage AED_UNUSED, uint32_t pair AED_UNUSED, const struct aed_window *window AED_UNUSED,
    uint32_t *output AED_UNUSED)
{
    STRIPS(ROW_OF_STRIDE_2, "16");
}

void aed_depthwise(const struct aed_stage *stage, uint32_t pair, const struct aed_window *window, uint32_t *output)
{
    if (stage->stride == 1) {
        stride_1(stage, pair, window, output);
    } else {
        stride_2(stage, pair, window, output);
    }
}

#else
/* A translation unit must not be empty. */
typedef int aed_depthwise_is_portable;
#endif
