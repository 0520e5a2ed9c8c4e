"""Building blocks of synthetic sounds: noise under an envelope, voices, rooms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""All of it is made at this rate."""

Wave = NDArray[np.float64]
Formant = tuple[float, float, float]
"""Centre in Hz, bandwidth in Hz, gain in dB."""


def times(seconds: float) -> Wave:
    """Return the times of the samples of a stretch, in seconds from its start."""
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def curve(t: Wave, *points: tuple[float, float]) -> Wave:
    """Interpolate (time as a fraction of the whole, value) linearly."""
    at, values = zip(*points, strict=True)
    whole = len(t) / RATE_HZ
    return np.interp(t, np.array(at) * whole, values)


def shaped(samples: Wave, *points: tuple[float, float]) -> Wave:
    """Filter by a magnitude response: (Hz, dB), linear over the logarithm of the frequency."""
    size = 1 << (2 * len(samples) - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    at, gains_db = zip(*points, strict=True)
    gain_db = np.interp(np.log(np.maximum(hz, 1.0)), np.log(at), gains_db)
    return np.fft.irfft(np.fft.rfft(samples, size) * 10 ** (gain_db / 20), size)[: len(samples)]


def wander(rng: np.random.Generator, t: Wave, rate_hz: float) -> Wave:
    """Return slow random movement, about standard normal, changing `rate_hz` times a second."""
    knots = max(4, int(t[-1] * rate_hz) + 4)
    return np.interp(t, np.linspace(0, t[-1], knots), rng.normal(size=knots))


def voice(
    rng: np.random.Generator, f0_hz: Wave, formants: Sequence[Formant], tilt_db: float, rough: float
) -> Wave:
    """Sing harmonics of a moving pitch under formants: the source-filter model of a voice.

    `tilt_db` is the fall per octave, `rough` the depth of irregularity from cycle to cycle.
    """
    t = np.arange(len(f0_hz)) / RATE_HZ
    f0_hz = f0_hz * (1 + 0.008 * wander(rng, t, 60.0) + 0.02 * rough * wander(rng, t, 300.0))
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    out = np.zeros(len(t))
    for harmonic in range(1, int(7_600 / f0_hz.min()) + 1):
        hz = harmonic * f0_hz
        gain = sum(
            10 ** (db / 20) / np.sqrt(1 + ((hz - at) / (width / 2)) ** 2) for at, width, db in formants
        )
        gain = gain * (hz / f0_hz.min()) ** (-tilt_db / 6.02) * (hz < 7_600)
        out += gain * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    if rough:
        out *= 1 + rough * wander(rng, t, 150.0) + 0.5 * rough * np.sin(phase / 2)
    return unit(out)


def unit(samples: Wave) -> Wave:
    """Scale so that the largest magnitude is 1."""
    return samples / max(1e-9, float(np.abs(samples).max()))


def room(rng: np.random.Generator, samples: Wave, seconds: float, wet: float) -> Wave:
    """Add the tail of a room: noise that decays by 60 dB in `seconds`, duller and duller."""
    t = times(seconds)
    tail = shaped(rng.normal(size=len(t)), (100, -6), (500, 0), (2_000, -3), (8_000, -12)) * np.exp(
        -6.9 * t / seconds
    )
    tail *= wet / np.sqrt((tail**2).sum())
    size = 1 << (len(samples) + len(tail)).bit_length()
    late = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return samples + late[: len(samples)]


def place(out: Wave, sound: Wave, at_s: float) -> None:
    """Add `sound` into `out` at a time; what reaches beyond the end is left out."""
    first = round(at_s * RATE_HZ)
    part = sound[: max(0, len(out) - first)]
    out[first : first + len(part)] += part


def edges(samples: Wave, seconds: float = 0.02) -> Wave:
    """Fade in and out, so that nothing clicks."""
    ramp = np.minimum(1.0, np.arange(len(samples)) / (seconds * RATE_HZ))
    return np.asarray(samples * ramp * ramp[::-1])
