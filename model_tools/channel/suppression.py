"""Noise suppression as phones have it: steady sound is turned down, band by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_SIZE, _HOP = 512, 256


def suppress_noise(
    samples: Samples,
    rate_hz: int,
    *,
    floor_db: float = -15.0,
    over: float = 1.5,
    quantile: float = 0.2,
    hold_s: float = 0.05,
) -> Samples:
    """Return the sound after spectral subtraction.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    floor_db : float
        The most that any band is turned down.
    over : float
        How many times the estimate of the noise is taken away.
    quantile : float
        A band's noise is this quantile of its magnitude over the whole sound: rain or a motor that runs
        all the time is turned down too, by up to `floor_db`, as a phone does.
    hold_s : float
        Time constant of the gain as it falls; it rises at once.

    Source: M. Berouti, R. Schwartz, J. Makhoul, "Enhancement of speech corrupted by acoustic noise",
    1979, equation 5 with exponent 1 (oversubtraction with a spectral floor).
    """
    from scipy.fft import irfft, rfft

    n = len(samples)
    if not n:
        return samples.copy()
    frames = -(-n // _HOP) + 1
    padded = np.zeros((frames + 1) * _HOP, np.float32)
    padded[_HOP : _HOP + n] = samples
    # The root of Hann, before and after: shifted by half, their squares add up to one.
    window = np.sin(np.pi * (np.arange(_SIZE, dtype=np.float32) + np.float32(0.5)) / _SIZE)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP] * window
    spectrum = rfft(pieces)
    magnitude = np.abs(spectrum)
    noise = np.quantile(magnitude, quantile, axis=0)
    floor = np.float32(10.0 ** (floor_db / 20.0))
    gain = np.maximum(1.0 - over * noise / (magnitude + 1e-12), floor).astype(np.float32)
    keep = np.float32(np.exp(-_HOP / rate_hz / hold_s))
    for i in range(1, len(gain)):
        np.maximum(gain[i], keep * gain[i - 1], out=gain[i])
    back = irfft(spectrum * gain, _SIZE) * window
    out = np.zeros_like(padded)
    out[: frames * _HOP] += back[:, :_HOP].reshape(-1)
    out[_HOP:] += back[:, _HOP:].reshape(-1)
    return np.asarray(out[_HOP : _HOP + n], np.float32)
