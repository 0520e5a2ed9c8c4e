/* The network as a shared library, for `aed_daemon/native.py`. */
#ifndef AED_NATIVE_H
#define AED_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AED_NATIVE_PUBLIC __attribute__((visibility("default")))
#else
#define AED_NATIVE_PUBLIC
#endif

/* Changes when anything below does. */
#define AED_NATIVE_VERSION 1

/* As the .tflite has it; dimensions that a tensor lacks are 0. */
struct aed_native_tensor {
    int32_t shape[4];
    int32_t zero_point;
    float scale;
};

AED_NATIVE_PUBLIC extern const int32_t aed_native_version;
AED_NATIVE_PUBLIC extern const char aed_native_model[65]; /* SHA-256 of the .tflite, in hexadecimal digits */
AED_NATIVE_PUBLIC extern const struct aed_native_tensor aed_native_input, aed_native_output;

/* Bytes of a state, which is aligned as an int64_t. One state for each thread. */
AED_NATIVE_PUBLIC size_t aed_native_size(void);

AED_NATIVE_PUBLIC void aed_native_init(void *state);

/* Makes the scores of a patch, rows of mels whatever the .tflite's layout. Returns 0, or -1 if there are none, as
   with a state that was not begun. */
AED_NATIVE_PUBLIC int aed_native_scores(void *state, const int8_t *patch, int8_t *scores);

#ifdef __cplusplus
}
#endif

#endif /* AED_NATIVE_H */
