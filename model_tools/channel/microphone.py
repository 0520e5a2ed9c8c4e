"""Frequency responses and self-noise of small microphones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_tools.channel.room import convolve

Samples = NDArray[np.float32]

_FFT = 4_096
"""Points of the grid on which a response is designed: 3.9 Hz apart at 16 kHz."""


def high_pass_db(hz: NDArray[np.float64], corner_hz: float, order: int) -> NDArray[np.float64]:
    """Return a Butterworth high-pass in dB at given frequencies, -3 dB at the corner, at least -80."""
    ratio = (corner_hz / np.maximum(hz, 1e-3)) ** (2 * order)
    return np.asarray(np.maximum(-10.0 * np.log10(1.0 + ratio), -80.0))


def low_pass_db(hz: NDArray[np.float64], corner_hz: float, order: int) -> NDArray[np.float64]:
    """Return a Butterworth low-pass in dB at given frequencies, -3 dB at the corner, at least -80."""
    ratio = (hz / corner_hz) ** (2 * order)
    return np.asarray(np.maximum(-10.0 * np.log10(1.0 + ratio), -80.0))


def resonance_db(hz: NDArray[np.float64], centre_hz: float, peak_db: float, q: float) -> NDArray[np.float64]:
    """Return a peak in dB at given frequencies: `peak_db` at the centre, nothing far from it.

    Source: R. Bristow-Johnson, "Audio EQ cookbook", peaking equaliser, the analog prototype.
    """
    x = np.maximum(hz, 1e-3) / centre_hz
    away = (x - 1.0 / x) ** 2
    a = 10.0 ** (peak_db / 40.0)
    return np.asarray(10.0 * np.log10((away + (a / q) ** 2) / (away + 1.0 / (a * q) ** 2)))


def smooth_db(rng: np.random.Generator, hz: NDArray[np.float64], range_db: float) -> NDArray[np.float64]:
    """Return a random smooth response in dB: seven points from 60 Hz to 8 kHz within +-range, joined."""
    points = rng.uniform(-range_db, range_db, 7)
    octaves = np.linspace(np.log2(60.0), np.log2(8_000.0), 7)
    return np.interp(np.log2(np.maximum(hz, 1.0)), octaves, points)


def minimum_phase(response_db: NDArray[np.float64]) -> Samples:
    """Return the impulse response with this magnitude and the least delay.

    Parameters
    ----------
    response_db : ndarray, float64 (2049,)
        Gain at 2,049 frequencies from 0 to half the rate.

    Returns
    -------
    ndarray, float32 (2048,)
        Causal: nothing sounds before its time, as would with a filter of linear phase.

    Source: A. V. Oppenheim, R. W. Schafer, Discrete-Time Signal Processing, section 13.5 (the real
    cepstrum folded onto positive time).
    """
    cepstrum = np.fft.irfft(np.log(10.0) / 20.0 * response_db, _FFT)
    cepstrum[1 : _FFT // 2] *= 2.0
    cepstrum[_FFT // 2 + 1 :] = 0.0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), _FFT)[: _FFT // 2]
    return np.asarray(response, np.float32)


def grid_hz(rate_hz: int) -> NDArray[np.float64]:
    """Return the frequencies that `minimum_phase` takes gains at, float64 (2049,)."""
    return np.fft.rfftfreq(_FFT, 1.0 / rate_hz)


def equalise(samples: Samples, response_db: NDArray[np.float64]) -> Samples:
    """Return the samples after the minimum-phase filter with this response on `grid_hz`."""
    return convolve(samples, minimum_phase(response_db))


def microphone(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, dict[str, float]]:
    """Return the sound as a random small microphone hears it.

    A high-pass of order 1 to 4 at 50 to 300 Hz, a resonance of 1 to 12 dB at 3 to 8 kHz (the port of
    a MEMS capsule, the case of a phone), in 40 % a roll-off of order 1 to 4 from 3 kHz up (an electret
    behind cloth), and a smooth unevenness of up to 6 dB.

    Returns
    -------
    ndarray, float32 (n,)
        What lies around 1 kHz keeps its level.
    dict of str to float
        What was drawn: corner frequencies in Hz, resonance in Hz and dB.
    """
    hz = grid_hz(rate_hz)
    drawn = {
        "high_pass_hz": float(50.0 * 6.0 ** rng.random()),
        "resonance_hz": float(rng.uniform(3_000.0, 8_000.0)),
        "resonance_db": float(rng.uniform(1.0, 12.0)),
    }
    response_db = high_pass_db(hz, drawn["high_pass_hz"], int(rng.integers(1, 5)))
    response_db += resonance_db(hz, drawn["resonance_hz"], drawn["resonance_db"], rng.uniform(0.7, 4.0))
    if rng.random() < 0.4:
        drawn["low_pass_hz"] = float(rng.uniform(3_000.0, 7_500.0))
        response_db += low_pass_db(hz, drawn["low_pass_hz"], int(rng.integers(1, 5)))
    response_db += smooth_db(rng, hz, rng.uniform(0.0, 6.0))
    response_db -= np.interp(1_000.0, hz, response_db)
    return equalise(samples, response_db), drawn


def noise_floor(
    rng: np.random.Generator, n: int, rate_hz: int, level_dbfs: float, tilt: float = 0.0
) -> Samples:
    """Return Gaussian noise, float32 (n,), of an RMS level in dBFS.

    Parameters
    ----------
    tilt : float
        Its power falls with frequency to this power above 50 Hz: 0 white, 1 pink, 2 brown.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    if not n:
        return np.zeros(0, np.float32)
    if tilt == 0.0:
        noise = rng.standard_normal(n, np.float32)
    else:
        size = next_fast_len(n, real=True)
        hz = np.maximum(np.fft.rfftfreq(size, 1.0 / rate_hz), 50.0).astype(np.float32)
        noise = irfft(rfft(rng.standard_normal(size, np.float32)) * hz ** np.float32(-tilt / 2.0), size)[:n]
    scale = 10.0 ** (level_dbfs / 20.0) / np.sqrt(np.mean(np.square(noise, dtype=np.float64)) + 1e-30)
    return np.asarray(noise * scale, np.float32)
