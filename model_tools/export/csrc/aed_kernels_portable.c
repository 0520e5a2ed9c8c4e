#include "aed_kernels.h"

#ifndef AED_DSP_KERNELS

/* Two roundings, as TFLite's reference kernels have them; what is below 0 is 0 behind the ReLU. */
static uint32_t requantised(int32_t sum, int32_t multiplier, uint32_t shift)
{
    if (sum <= 0) {
        return 0;
    }
    uint64_t high = ((uint64_t)(uint32_t)sum * (uint32_t)multiplier + (1u << 30)) >> 31;
    uint64_t value = (high + ((1u << shift) >> 1)) >> shift;
    return value > 255 ? 255 : (uint32_t)value;
}

/* The lowest byte as a signed number. */
static int32_t signed_byte(uint32_t word)
{
    return (int32_t)(word & 0x7F) - (int32_t)(word & 0x80);
}

static uint32_t column_of(const uint32_t *row, uint32_t column)
{
    static const uint8_t shifts[4] = {0, 16, 8, 24};
    return row[column / 4] >> shifts[column % 4] & 0xFF;
}

void aed_pointwise(const struct aed_stage *stage, uint32_t pair, const uint32_t *input, struct aed_window *window)
{
    const uint32_t *kernel = stage->kernel + pair * stage->inputs;
    const struct aed_channel *channels = stage->channels + 2 * pair;
    for (uint32_t block = 0; block < stage->columns / 4u; ++block) {
        int32_t even[4], odd[4];
        for (int i = 0; i < 4; ++i) {
            even[i] = channels[0].bias;
            odd[i] = channels[1].bias;
        }
        for (uint32_t k = 0; k < stage->inputs; ++k, input += 4) {
            int32_t even_first = signed_byte(kernel[k]), even_second = signed_byte(kernel[k] >> 16);
            /* The upper bytes have lent one to a negative lower byte. */
            int32_t odd_first = signed_byte(kernel[k] >> 8) + (even_first < 0);
            int32_t odd_second = signed_byte(kernel[k] >> 24) + (even_second < 0);
            for (int i = 0; i < 4; ++i) {
                int32_t first = (int32_t)(input[i] & 0xFFFF), second = (int32_t)(input[i] >> 16);
                even[i] += first * even_first + second * even_second;
                odd[i] += first * odd_first + second * odd_second;
            }
        }
        for (uint32_t c = 0; c < 2; ++c) {
            const int32_t *sums = c == 0 ? even : odd;
            uint32_t values[4], shift = stage->shifts[2 * pair + c];
            for (int i = 0; i < 4; ++i) {
                values[i] = requantised(sums[i], channels[c].multiplier, shift);
            }
            window->rows[c][2][1 + block] = values[0] | values[2] << 8 | values[1] << 16 | values[3] << 24;
        }
    }
}

void aed_depthwise(const struct aed_stage *stage, uint32_t pair, const struct aed_window *window, uint32_t *output)
{
    uint32_t first = stage->stride == 1 ? 3 : 4; /* column of the first sum, four of padding included */
    uint32_t columns = stage->columns / stage->stride;
    for (uint32_t column = 0; column < columns; ++column) {
        uint32_t values[2];
        for (uint32_t c = 0; c < 2; ++c) {
            uint32_t channel = 2 * pair + c;
            const int8_t *kernel = stage->depthwise_kernel + 9 * channel;
            int32_t sum = stage->depthwise_channels[channel].bias;
            for (uint32_t y = 0; y < 3; ++y) {
                for (uint32_t x = 0; x < 3; ++x) {
                    uint32_t at = first + column * stage->stride + x;
                    sum += (int32_t)column_of(window->rows[c][y], at) * kernel[3 * y + x];
                }
            }
            values[c] = requantised(
                sum, stage->depthwise_channels[channel].multiplier, stage->depthwise_shifts[channel]);
        }
        output[(column / 4 * stage->outputs + pair) * 4 + column % 4] = values[0] | values[1] << 16;
    }
}

#else
/* A translation unit must not be empty. */
typedef int aed_kernels_are_in_assembly;
#endif
