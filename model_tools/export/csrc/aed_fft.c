/* The 512 real points are taken as 256 complex ones: point n = (sample 2n, sample 2n + 1). These are
   transformed in three passes of radix 8, 8 and 4. With n = 32 m + 4 a + b and k = u + 8 v + 64 d,

     first   X(u, a, b) = W256^(u (4 a + b)) sum over m of W8^(u m) point(m, a, b)
     second  X(u, v, b) = sum over a of W8^(v a) X(u, a, b)
     third   Z(u, v, d) = sum over b of W4^(d b) W32^(v b) X(u, v, b)

   where W = exp(-2 pi i / .). The place of X(u, x, b) is u + 8 x + 64 b, and that of Z(k) is k. The third
   pass also makes the spectrum of the real points out of Z: it takes j = u + 8 v and 64 - j together, since bin
   k needs Z(k) and Z(256 - k).

   Source: J. W. Cooley and J. W. Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series,
   Mathematics of Computation 19(90), 1965; for the real points J. W. Cooley, P. A. W. Lewis and P. D. Welch,
   The Fast Fourier Transform Algorithm, Journal of Sound and Vibration 12(3), 1970. */
#include "aed_fft.h"

#include "aed_front_end_tables.h"

AED_INLINE struct aed_complex sum(struct aed_complex a, struct aed_complex b)
{
    return (struct aed_complex){a.re + b.re, a.im + b.im};
}

AED_INLINE struct aed_complex difference(struct aed_complex a, struct aed_complex b)
{
    return (struct aed_complex){a.re - b.re, a.im - b.im};
}

/* a - i b */
AED_INLINE struct aed_complex less_i(struct aed_complex a, struct aed_complex b)
{
    return (struct aed_complex){a.re + b.im, a.im - b.re};
}

/* a + i b */
AED_INLINE struct aed_complex plus_i(struct aed_complex a, struct aed_complex b)
{
    return (struct aed_complex){a.re - b.im, a.im + b.re};
}

AED_INLINE struct aed_complex turned(struct aed_complex a, const aed_coefficient *w)
{
    return (struct aed_complex){aed_times(a.re, w[0]) - aed_times(a.im, w[1]),
                                aed_times(a.re, w[1]) + aed_times(a.im, w[0])};
}

/* The loops below are written out: what is indexed by a constant stays in registers. */

AED_INLINE void radix_4(struct aed_complex z[4])
{
    struct aed_complex a = sum(z[0], z[2]), b = difference(z[0], z[2]);
    struct aed_complex c = sum(z[1], z[3]), d = difference(z[1], z[3]);
    z[0] = sum(a, c);
    z[1] = less_i(b, d);
    z[2] = difference(a, c);
    z[3] = plus_i(b, d);
}

/* Afterwards even[i] is transform 2 i, odd[i] is transform 2 i + 1 of z. */
AED_INLINE void radix_8(const struct aed_complex z[8], struct aed_complex even[4], struct aed_complex odd[4])
{
    even[0] = sum(z[0], z[4]);
    even[1] = sum(z[1], z[5]);
    even[2] = sum(z[2], z[6]);
    even[3] = sum(z[3], z[7]);
    radix_4(even);
    /* The odd ones are turned by W8^0, W8, W8^2 = -i and W8^3 before they are transformed. */
    struct aed_complex a = difference(z[1], z[5]), b = difference(z[2], z[6]), c = difference(z[3], z[7]);
    odd[0] = difference(z[0], z[4]);
    odd[1] = (struct aed_complex){aed_times(a.re + a.im, AED_SQRT_HALF), aed_times(a.im - a.re, AED_SQRT_HALF)};
    odd[2] = (struct aed_complex){b.im, -b.re};
    odd[3] = (struct aed_complex){aed_times(c.im - c.re, AED_SQRT_HALF), -aed_times(c.re + c.im, AED_SQRT_HALF)};
    radix_4(odd);
}

AED_INLINE struct aed_complex rising(const aed_sample *samples, const aed_coefficient *window, int shift)
{
    return (struct aed_complex){aed_windowed(samples[0], window[0], shift),
                                aed_windowed(samples[1], window[1], shift)};
}

/* The window's second half is its first, backwards. */
AED_INLINE struct aed_complex falling(const aed_sample *samples, const aed_coefficient *window, int shift)
{
    return (struct aed_complex){aed_windowed(samples[0], window[0], shift),
                                aed_windowed(samples[1], window[-1], shift)};
}

/* Sample 56 of the 512 is past[0], sample 320 is block[0]; the 56 at either end are 0. */
static void first_pass(const aed_sample *past, const aed_sample *block, struct aed_complex *out, int shift)
{
    const aed_coefficient *twiddle = aed_twiddles_256;
    for (int n = 0; n < 32; ++n) {
        int at = 2 * n;
        struct aed_complex z[8], even[4], odd[4];
        z[0] = z[7] = (struct aed_complex){0, 0};
        if (n >= 28) {
            z[0] = rising(past + at - 56, aed_window + at - 56, shift);
        }
        z[1] = rising(past + at + 8, aed_window + at + 8, shift);
        z[2] = rising(past + at + 72, aed_window + at + 72, shift);
        z[3] = rising(past + at + 136, aed_window + at + 136, shift);
        z[4] = falling(past + at + 200, aed_window + 200 - at, shift);
        z[5] = falling(block + at, aed_window + 136 - at, shift);
        z[6] = falling(block + at + 64, aed_window + 72 - at, shift);
        if (n < 4) {
            z[7] = falling(block + at + 128, aed_window + 8 - at, shift);
        }
        radix_8(z, even, odd);
        struct aed_complex *to = out + 8 * (n >> 2) + 64 * (n & 3);
        to[0] = even[0];
        to[1] = turned(odd[0], twiddle);
        to[2] = turned(even[1], twiddle + 2);
        to[3] = turned(odd[1], twiddle + 4);
        to[4] = turned(even[2], twiddle + 6);
        to[5] = turned(odd[2], twiddle + 8);
        to[6] = turned(even[3], twiddle + 10);
        to[7] = turned(odd[3], twiddle + 12);
        twiddle += 14;
    }
}

static void second_pass(struct aed_complex *points)
{
    for (struct aed_complex *p = points; p < points + 256; p += (p - points) % 8 == 7 ? 57 : 1) {
        struct aed_complex z[8] = {p[0], p[8], p[16], p[24], p[32], p[40], p[48], p[56]};
        struct aed_complex even[4], odd[4];
        radix_8(z, even, odd);
        p[0] = even[0];
        p[8] = odd[0];
        p[16] = even[1];
        p[24] = odd[1];
        p[32] = even[2];
        p[40] = odd[2];
        p[48] = even[3];
        p[56] = odd[3];
    }
}

/* Z(j), Z(j + 64), Z(j + 128) and Z(j + 192), where j = u + 8 v. */
AED_INLINE void radix_4_of(const struct aed_complex *points, int j, struct aed_complex z[4])
{
    const aed_coefficient *twiddle = aed_twiddles_32 + 6 * (j >> 3);
    z[0] = points[j];
    z[1] = turned(points[j + 64], twiddle);
    z[2] = turned(points[j + 128], twiddle + 2);
    z[3] = turned(points[j + 192], twiddle + 4);
    radix_4(z);
}

/* The magnitudes of bins k and 256 - k from z = Z(k) and y = Z(256 - k), with W512^k = c - i s. */
AED_INLINE void split(struct aed_complex z, struct aed_complex y, aed_coefficient c, aed_coefficient s,
                         aed_real *at_k, aed_real *at_256_less_k)
{
    struct aed_complex e = {z.re + y.re, z.im - y.im}, o = {z.im + y.im, y.re - z.re};
    struct aed_complex t = {aed_times(o.re, c) + aed_times(o.im, s), aed_times(o.im, c) - aed_times(o.re, s)};
    *at_k = aed_magnitude(e.re + t.re, e.im + t.im);
    *at_256_less_k = aed_magnitude(e.re - t.re, e.im - t.im);
}

static void third_pass(struct aed_complex *points)
{
    struct aed_complex z[4], y[4];
    const aed_coefficient *up = aed_cosines, *down = aed_cosines + 64;
    /* j = 0 is its own partner, with Z(0) for Z(256); bins 0 and 256 are not wanted. */
    radix_4_of(points, 0, z);
    split(z[1], z[3], up[64], down[0], &points[64].re, &points[192].re);
    points[128].re = aed_magnitude(z[2].re + z[2].re, z[2].im + z[2].im);
    for (int j = 1; j <= 32; ++j) {
        struct aed_complex *p = points + j, *q = points + 64 - j;
        radix_4_of(points, j, z);
        radix_4_of(points, 64 - j, y);
        ++up;
        --down;
        split(z[0], y[3], up[0], down[64], &p[0].re, &q[192].re);
        split(z[1], y[2], up[64], down[0], &p[64].re, &q[128].re);
        split(z[2], y[1], -down[64], up[0], &p[128].re, &q[64].re);
        split(z[3], y[0], -down[0], up[64], &p[192].re, &q[0].re);
    }
}

int aed_fft_magnitudes(const aed_sample past[AED_PAST], const aed_sample block[AED_BLOCK],
                       struct aed_complex result[256])
{
    int shift = aed_headroom(past, AED_PAST, block, 400 - AED_PAST);
    first_pass(past, block, result, shift);
    second_pass(result);
    third_pass(result);
    return shift;
}
