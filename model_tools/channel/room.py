"""Rooms for training: statistical impulse responses, a direct sound before reflections made of noise.

No geometry. The rooms that a network is tested in are another family: `evaluation.rooms` computes
the reflections between the walls of a box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_OCTAVES_HZ = (125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0)


def room_response(
    rng: np.random.Generator, rate_hz: int, rt60_s: float, direct_to_reverberant_db: float
) -> Samples:
    """Return a random impulse response of a room, float32 (m,), its direct sound at sample 0.

    Parameters
    ----------
    rate_hz : int
        Sampling rate.
    rt60_s : float
        Reverberation time at 500 to 1,000 Hz; bass lasts 0.8 to 1.4 times as long, the octave at
        8 kHz 0.35 to 0.9 times.
    direct_to_reverberant_db : float
        Energy of the direct sound over that of everything after it.

    Returns
    -------
    ndarray, float32 (m,)
        Of unit energy, so that it keeps the level of steady noise.

    Source: J.-D. Polack, "La transmission de l'énergie sonore dans les salles", 1988: the late response
    is Gaussian noise with an exponential envelope; here one envelope per octave.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    factors = np.interp(
        np.log2(_OCTAVES_HZ),
        np.log2([125.0, 500.0, 1_000.0, 8_000.0]),
        [rng.uniform(0.8, 1.4), 1.0, 1.0, rng.uniform(0.35, 0.9)],
    )
    decays_s = rt60_s * factors
    n = max(int(1.1 * decays_s.max() * rate_hz), 64)
    size = next_fast_len(n, real=True)
    spectrum = rfft(rng.standard_normal(size, np.float32))
    edges = np.sqrt(np.array(_OCTAVES_HZ[:-1]) * np.array(_OCTAVES_HZ[1:]))
    bands = np.searchsorted(edges, np.fft.rfftfreq(size, 1.0 / rate_hz))
    t = np.arange(n, dtype=np.float32) / np.float32(rate_hz)
    tail = np.zeros(n, np.float32)
    for band, decay_s in enumerate(decays_s):
        noise = irfft(np.where(bands == band, spectrum, np.complex64(0.0)), size)[:n]
        tail += noise * np.exp(t * np.float32(-3.0 * np.log(10.0) / decay_s))
    # The reflections become dense only some milliseconds after the direct sound.
    dense_s = rng.uniform(0.002, 0.02)
    tail *= np.minimum(t / np.float32(dense_s), np.float32(1.0))
    tail += _early(rng, n, rate_hz, rt60_s) * np.sqrt(np.sum(tail**2)) * np.float32(rng.uniform(0.3, 1.0))
    tail[0] = 0.0
    tail *= np.float32(10.0 ** (-direct_to_reverberant_db / 20.0)) / np.sqrt(np.sum(tail**2) + 1e-12)
    tail[0] = 1.0
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), np.float32)


def _early(rng: np.random.Generator, n: int, rate_hz: int, rt60_s: float) -> Samples:
    """Return 3 to 10 single reflections within 40 ms, of unit energy together."""
    out = np.zeros(n, np.float32)
    for _ in range(int(rng.integers(3, 11))):
        at_s = rng.uniform(0.001, 0.04)
        amplitude = rng.uniform(0.2, 1.0) * 10.0 ** (-3.0 * at_s / rt60_s)
        out[min(int(at_s * rate_hz), n - 1)] += amplitude * rng.choice([-1.0, 1.0])
    return np.asarray(out / np.sqrt(np.sum(out**2) + 1e-12), np.float32)


def convolve(samples: Samples, response: Samples) -> Samples:
    """Return the samples after a filter whose response begins at sample 0, float32 (n,), cut at n."""
    from scipy.fft import irfft, next_fast_len, rfft

    if not len(samples):
        return samples.copy()
    response = response[: len(samples)]
    size = next_fast_len(len(samples) + len(response) - 1, real=True)
    product = rfft(np.asarray(samples, np.float32), size) * rfft(response, size)
    return np.asarray(irfft(product, size)[: len(samples)], np.float32)


def reverberate(
    rng: np.random.Generator,
    samples: Samples,
    rate_hz: int,
    *,
    rt60_s: tuple[float, float] = (0.1, 1.2),
    direct_to_reverberant_db: tuple[float, float] = (-14.0, 15.0),
) -> tuple[Samples, float, float]:
    """Put the sound into a random room.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound. What would sound on after its end is cut off.
    rt60_s, direct_to_reverberant_db : (float, float)
        Ranges to draw from: the time by its logarithm, the ratio evenly.

    Returns
    -------
    ndarray, float32 (n,)
        The direct sound is aligned with the input. Steady noise keeps its level; a short sound loses
        what comes later.
    float
        The reverberation time drawn, in seconds.
    float
        The direct-to-reverberant ratio drawn, in dB.
    """
    time_s = float(np.exp(rng.uniform(*np.log(rt60_s))))
    ratio_db = float(rng.uniform(*direct_to_reverberant_db))
    return convolve(samples, room_response(rng, rate_hz, time_s, ratio_db)), time_s, ratio_db


def reverberation_time_s(response: Samples, rate_hz: int) -> float:
    """Return how long a response takes to fall by 60 dB, from its fall between -5 and -35 dB.

    Raises
    ------
    ValueError
        If the response does not fall so far.

    Source: M. R. Schroeder, "New method of measuring reverberation time", 1965 (backward integration);
    ISO 3382-1 (the range, T30).
    """
    energy = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    decay_db = 10.0 * np.log10(energy / energy[0] + 1e-30)
    inside = np.flatnonzero((decay_db <= -5.0) & (decay_db >= -35.0))
    if decay_db[-1] > -35.0 or len(inside) < 2:
        raise ValueError("the response falls by less than 35 dB")
    slope, _ = np.polyfit(inside / rate_hz, decay_db[inside], 1)
    return float(-60.0 / slope)
