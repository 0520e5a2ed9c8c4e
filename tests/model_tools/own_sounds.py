"""Sounds of one's own for the tests, from formulas: a door bell, an oven's beep, knocking, all varied.

Each is recorded in a room of its own, at its own distance, over some noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16_000

Sound = NDArray[np.float32]
Wave = NDArray[np.float64]


def door_bell(rng: np.random.Generator) -> Wave:
    """Two strokes, the second lower, each of five partials."""
    high_hz, decay_s = rng.uniform(600.0, 750.0), rng.uniform(0.35, 0.8)
    gap = int(rng.uniform(0.45, 0.7) * RATE_HZ)
    out = np.zeros(gap + int(1.5 * RATE_HZ))
    for at, hz in ((0, high_hz), (gap, high_hz * rng.uniform(0.76, 0.82))):
        t = np.arange(len(out) - at) / RATE_HZ
        for k, (multiple, weight) in enumerate(((1.0, 1.0), (2.01, 0.5), (3.02, 0.25), (5.1, 0.12))):
            stroke = np.sin(2 * np.pi * hz * multiple * t + rng.uniform(0.0, 6.0))
            out[at:] += weight * stroke * np.exp(-t * (1.0 + 0.6 * k) / decay_s)
    return out


def oven_beep(rng: np.random.Generator) -> Wave:
    """Three to five short square tones."""
    hz, on_s, off_s = rng.uniform(1_900.0, 2_200.0), rng.uniform(0.12, 0.2), rng.uniform(0.1, 0.18)
    t = np.arange(int(on_s * RATE_HZ)) / RATE_HZ
    tone = 0.6 * np.sign(np.sin(2 * np.pi * hz * t)) + 0.4 * np.sin(2 * np.pi * hz * t)
    tone *= np.minimum(1.0, np.minimum(t, on_s - t) / 0.004)
    return np.tile(np.concatenate([tone, np.zeros(int(off_s * RATE_HZ))]), int(rng.integers(3, 6)))


def knocking(rng: np.random.Generator) -> Wave:
    """Two to four knocks on wood."""
    count, gap_s = int(rng.integers(2, 5)), rng.uniform(0.15, 0.28)
    out = np.zeros(int((count * gap_s + 0.5) * RATE_HZ))
    t = np.arange(int(0.12 * RATE_HZ)) / RATE_HZ
    for i in range(count):
        hz = rng.uniform(140.0, 240.0)
        knock = np.sin(2 * np.pi * hz * t) * np.exp(-t / 0.02)
        knock += 0.5 * np.sin(2 * np.pi * 2.7 * hz * t) * np.exp(-t / 0.01)
        knock += 0.3 * rng.normal(0.0, 1.0, len(t)) * np.exp(-t / 0.004)
        at = int(i * gap_s * RATE_HZ * rng.uniform(0.97, 1.03))
        out[at : at + len(t)] += knock * rng.uniform(0.7, 1.0)
    return out


SOUNDS: dict[str, Callable[[np.random.Generator], Wave]] = {
    "doorbell": door_bell,
    "knocking": knocking,
    "oven_beep": oven_beep,
}


def recording(rng: np.random.Generator, make: Callable[[np.random.Generator], Wave]) -> Sound:
    """Return one sound as a microphone hears it, float32 (n,), with quiet before and after."""
    wave = make(rng)
    wave = wave / np.abs(wave).max() * 10.0 ** (rng.uniform(-20.0, -4.0) / 20.0)
    before, after = (int(rng.uniform(low, high) * RATE_HZ) for low, high in ((0.3, 1.2), (0.5, 1.5)))
    dry = np.concatenate([np.zeros(before), wave, np.zeros(after)])
    n = int(0.25 * RATE_HZ)
    room = rng.normal(0.0, 1.0, n) * np.exp(-np.arange(n) / RATE_HZ / rng.uniform(0.02, 0.08))
    room[0] = rng.uniform(3.0, 10.0)
    room /= np.sqrt(np.sum(room**2))
    size = 1 << (len(dry) + n).bit_length()
    heard = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size), size)[: len(dry)]
    heard += rng.normal(0.0, 10.0 ** (rng.uniform(-75.0, -55.0) / 20.0), len(dry))
    return np.clip(heard, -1.0, 1.0).astype(np.float32)


def write_set(root: Path, clips: int, seed: int) -> None:
    """Write a folder per class."""
    rng = np.random.default_rng(seed)
    for slug, make in SOUNDS.items():
        (root / slug).mkdir(parents=True, exist_ok=True)
        for number in range(1, clips + 1):
            soundfile.write(root / slug / f"{slug}-{number}.wav", recording(rng, make), RATE_HZ)
