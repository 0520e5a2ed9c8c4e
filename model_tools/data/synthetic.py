"""Synthesised sounds of no class: noise of all colours, hum, tones, clicks, silence, dither. Seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def rms_dbfs(samples: Samples) -> float:
    """Return the RMS level in dBFS (0 is a full-scale square wave), -200 for silence."""
    return float(10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def at_level(samples: Samples, level_dbfs: float) -> Samples:
    """Return the samples scaled to an RMS level in dBFS; silence stays silence."""
    now = rms_dbfs(samples)
    if now <= -199.0:
        return samples
    return np.asarray(samples * 10.0 ** ((level_dbfs - now) / 20.0), np.float32)


def coloured_noise(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return Gaussian noise, float32 (n,), of random colour, sometimes band-limited, at 0 dBFS RMS.

    The power spectrum falls with f to the power of -1 (blue) to 2.5 (darker than brown).
    """
    size = 1 << (n - 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hz = np.fft.rfftfreq(size, 1.0 / rate_hz)
    hz[0] = hz[1]
    shape = np.maximum(hz, 30.0) ** (-rng.uniform(-1.0, 2.5) / 2.0)
    if rng.random() < 0.35:
        centre, width = rate_hz / 2 * 2.0 ** -rng.uniform(0.2, 5.0), rng.uniform(0.3, 2.0)
        shape = shape * (1e-3 + np.exp(-0.5 * (np.log2(hz / centre) / width) ** 2))
    noise = np.fft.irfft(spectrum * shape, size)[:n]
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12), np.float32)


def hum(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return mains hum or the whine of a fan: a fundamental with falling harmonics."""
    base_hz = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(25.0, 400.0)])
    t = np.arange(n) / rate_hz
    out = np.zeros(n)
    fall = rng.uniform(0.4, 1.5)
    for k in range(1, int(rng.integers(3, 30))):
        if k * base_hz >= rate_hz / 2:
            break
        out += (
            rng.uniform(0.2, 1.0) * k**-fall * np.sin(2 * np.pi * k * base_hz * t + rng.uniform(0, 2 * np.pi))
        )
    return np.asarray(out, np.float32)


def tone(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return steady, sweeping, warbling or keyed tones."""
    t = np.arange(n) / rate_hz
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        from_hz = 80.0 * 2.0 ** rng.uniform(0.0, 6.4)
        to_hz = from_hz if rng.random() < 0.5 else 80.0 * 2.0 ** rng.uniform(0.0, 6.4)
        hz = from_hz * (to_hz / from_hz) ** (t / t[-1])
        if rng.random() < 0.2:
            hz = hz * (1.0 + rng.uniform(0.01, 0.1) * np.sin(2 * np.pi * rng.uniform(2, 12) * t))
        voice = np.sin(2 * np.pi * np.cumsum(hz) / rate_hz)
        if rng.random() < 0.3:
            voice *= (t * rng.uniform(1.0, 12.0) % 1.0) < rng.uniform(0.2, 0.8)
        out += rng.uniform(0.1, 1.0) * voice
    return np.asarray(out, np.float32)


def clicks(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return a few single clicks or thumps at random times: decaying noise or ringing, never periodic."""
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        length = int(rate_hz * rng.uniform(0.001, 0.06))
        at = int(rng.integers(0, n - length))
        decay = np.exp(-np.arange(length) / (length / rng.uniform(3.0, 8.0)))
        ring = np.sin(2 * np.pi * 60.0 * 2.0 ** rng.uniform(0, 6.5) * np.arange(length) / rate_hz)
        body = rng.standard_normal(length) if rng.random() < 0.5 else ring
        out[at : at + length] += rng.uniform(0.2, 1.0) * decay * body
    return np.asarray(out, np.float32)


def dither(rng: np.random.Generator, n: int) -> Samples:
    """Return the triangular dither of a 16-bit recording of silence."""
    steps = np.rint(rng.random(n) + rng.random(n) - 1.0)
    return np.asarray(steps / 32_768.0, np.float32)


def synthetic(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return one sound of no class, float32 (n,), somewhere from silence to -12 dBFS RMS."""
    kind = rng.random()
    if kind < 0.03:
        return np.zeros(n, np.float32)
    if kind < 0.07:
        return dither(rng, n)
    if kind < 0.60:
        sound = coloured_noise(rng, n, rate_hz)
    elif kind < 0.72:
        sound = hum(rng, n, rate_hz)
    elif kind < 0.88:
        sound = tone(rng, n, rate_hz)
    else:
        sound = clicks(rng, n, rate_hz)
    if rng.random() < 0.2:
        slow = np.interp(np.arange(n), np.linspace(0, n, 8), 10.0 ** (rng.uniform(-20, 0, 8) / 20.0))
        sound = np.asarray(sound * slow, np.float32)
    return at_level(sound, rng.uniform(-95.0, -12.0))
