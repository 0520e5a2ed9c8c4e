/* What the tests call by ctypes, among it what is static. */
#include "aed_frontend.c"
size_t state_size(void);
size_t state_size(void) { return sizeof(struct aed_front_end); }
static void widen(const int16_t *pcm, size_t count, aed_sample *samples)
{
    for (size_t i = 0; i < count; ++i) {
        samples[i] = pcm[i] * AED_SAMPLE_ONE;
    }
}
void magnitudes(const int16_t *frame, float *out);
void magnitudes(const int16_t *frame, float *out)
{
    struct aed_complex result[256];
    aed_sample samples[AED_PAST + AED_BLOCK];
    widen(frame, AED_PAST + AED_BLOCK, samples);
    int shift = aed_fft_magnitudes(samples, samples + AED_PAST, result);
    for (int k = 1; k < 256; ++k) {
        uint32_t bits = aed_float_bits((aed_sum)result[k].re, shift);
        memcpy(out + k, &bits, sizeof bits);
    }
}
void quantise(const uint32_t *bits, size_t count, int8_t *out);
void quantise(const uint32_t *bits, size_t count, int8_t *out)
{
    for (size_t i = 0; i < count; ++i) {
        out[i] = quantised(bits[i]);
    }
}
size_t push(struct aed_front_end *state, const int16_t *pcm, size_t blocks, int8_t *rows);
size_t push(struct aed_front_end *state, const int16_t *pcm, size_t blocks, int8_t *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < blocks; ++i) {
        aed_sample samples[AED_HOP];
        widen(pcm + AED_HOP * i, AED_HOP, samples);
        count += aed_front_end_push(state, samples, rows + AED_MELS * count);
    }
    return count;
}
