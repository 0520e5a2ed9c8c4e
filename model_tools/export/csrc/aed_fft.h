/* Magnitudes of a real Fourier transform of 512 points, of which the middle 400 are windowed samples. */
#ifndef AED_FFT_H
#define AED_FFT_H

#include "aed_arithmetic.h"

#define AED_PAST 264  /* samples of a frame before its last block */
#define AED_BLOCK 160 /* samples of its last block, of which it uses 136 */

struct aed_complex {
    aed_real re, im;
};

/* Writes the magnitude of bin k, 1 .. 255, to result[k].re, and anything elsewhere. Returns the shift of its
   units, 0 of floats. */
int aed_fft_magnitudes(const aed_sample past[AED_PAST], const aed_sample block[AED_BLOCK],
                       struct aed_complex result[256]);

#endif /* AED_FFT_H */
