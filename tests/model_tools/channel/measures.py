"""Sounds to send through a channel, and what to measure on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, correlate, sosfiltfilt

Samples = NDArray[np.float32]
RATE_HZ = 16_000


def calls(seconds: float = 3.0, seed: int = 1, peak: float = 0.5) -> Samples:
    """Return harmonic calls between 300 Hz and 7 kHz with gaps between, a little noise below."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE_HZ)
    out = rng.standard_normal(n) * 1e-3
    at = 0.05
    while at < seconds - 0.05:
        t = np.arange(int(rng.uniform(0.1, 0.3) * RATE_HZ)) / RATE_HZ
        base_hz = rng.uniform(300.0, 700.0) * (1.0 + rng.uniform(-0.3, 0.3) * t / t[-1])
        phase = 2 * np.pi * np.cumsum(base_hz) / RATE_HZ
        call = sum(k**-0.7 * np.sin(k * phase + rng.uniform(0, 6)) for k in range(1, 11))
        call = (call + rng.standard_normal(len(t)) * 0.5) * np.sin(np.pi * np.arange(len(t)) / len(t)) ** 0.5
        start = int(at * RATE_HZ)
        out[start : start + len(t)] += call[: n - start]
        at += len(t) / RATE_HZ + rng.uniform(0.05, 0.2)
    return np.asarray(out * peak / np.abs(out).max(), np.float32)


def noise(seconds: float = 3.0, dbfs: float = -20.0, seed: int = 2) -> Samples:
    white = np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))
    return np.asarray(white * 10 ** (dbfs / 20), np.float32)


def tone(hz: float, seconds: float = 1.0, peak: float = 0.5) -> Samples:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(peak * np.sin(2 * np.pi * hz * t), np.float32)


def lag_samples(before: Samples, after: Samples) -> int:
    """Return by how many samples `after` is late: where their cross-correlation is largest."""
    n = len(before)
    return int(np.argmax(correlate(after[:n], before, method="fft"))) - (n - 1)


def dbfs(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def power_db(samples: Samples, low_hz: float, high_hz: float) -> float:
    """Return the mean power in a band, dBFS."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    inside = (hz >= low_hz) & (hz < high_hz)
    return float(
        10
        * np.log10(power[inside].sum() / (len(samples) * np.sum(np.hanning(len(samples)) ** 2)) * 2 + 1e-20)
    )


def spectral_distance_db(before: Samples, after: Samples, high_hz: float) -> float:
    """Return the log-spectral distance in third-octave-like bands up to a frequency, over the loud frames."""
    size = 512

    def bands(samples: Samples) -> NDArray[np.float64]:
        frames = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
        power = np.abs(np.fft.rfft(frames)) ** 2
        hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
        edges = np.geomspace(300, high_hz, 12)
        return np.stack([power[:, (hz >= a) & (hz < b)].sum(1) for a, b in pairwise(edges)], 1)

    old, new = bands(before), bands(after)
    loud = old.sum(1) > old.sum(1).max() * 10**-2.0
    floor = old[loud].max() * 1e-4
    return float(np.sqrt(np.mean((10 * np.log10((new[loud] + floor) / (old[loud] + floor))) ** 2)))


def band(samples: Samples, low_hz: float, high_hz: float) -> Samples:
    """Return a band of the samples, without delay."""
    sos = butter(4, [low_hz, min(high_hz, RATE_HZ / 2 - 100)], "band", fs=RATE_HZ, output="sos")
    padded = np.pad(samples, (4_000, 4_000))
    return np.asarray(sosfiltfilt(sos, padded)[4_000 : 4_000 + len(samples)], np.float32)
