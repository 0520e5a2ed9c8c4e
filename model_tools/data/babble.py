"""Speech-like sound from a formula, of no language: to train against where no speech has been fetched.

A buzz or a hiss passes resonances that wander from vowel to vowel, in syllables, words and pauses, at
the pitch and size of many voices.

Source: G. Fant, "Acoustic theory of speech production", 1960 (source and filter); G. E. Peterson and
H. L. Barney, "Control methods used in a study of the vowels", 1952, table II, men (resonances).
"""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_tools.data.clip import Clip
from model_tools.data.synthetic import Samples, at_level

VOWELS_HZ = np.array(
    [
        (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
        (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
    ],
    np.float64,
)  # fmt: skip
"""The three resonances of each vowel."""

COLLECTION = "synthesised babble"
LICENCE = "CC0-1.0"

_RATE_HZ = 16_000
_WINDOW, _HOP = 512, 128
_VERSION = 1
_VOICES, _SECONDS = 24, 12.0


def babble(rng: np.random.Generator, n: int, rate_hz: int = _RATE_HZ) -> Samples:
    """Return one voice that says nothing, float32 (n,), at -20 dBFS RMS."""
    frames = n // _HOP + 1
    level, hiss, resonances_hz = _score(rng, frames, rate_hz / _HOP)
    at = np.arange(n) / _HOP
    pitch_hz = rng.uniform(85.0, 260.0) * 2.0 ** (0.35 * _wander(rng, frames, rate_hz / _HOP, 2.0))
    phase = np.cumsum(np.interp(at, np.arange(frames), pitch_hz)) / rate_hz
    # Each closure of the glottis is a pulse; the breath is always there, a little.
    buzz = np.diff(np.floor(phase), prepend=0.0) + 0.01 * rng.normal(0.0, 1.0, n)
    noise = np.diff(rng.normal(0.0, 0.1, n), prepend=0.0)
    share = np.interp(at, np.arange(frames), hiss)
    source = buzz * (1.0 - share) + noise * share
    spoken = _filtered(source, _responses(resonances_hz, hiss, rate_hz)) * np.interp(
        at, np.arange(frames), level
    )
    return at_level(np.asarray(spoken, np.float32), -20.0)


def _score(
    rng: np.random.Generator, frames: int, rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return level, share of hiss and resonances in Hz of each frame: syllable by syllable."""
    level, hiss = np.zeros(frames), np.zeros(frames)
    size = rng.uniform(0.95, 1.3)
    targets: list[tuple[int, NDArray[np.float64]]] = []
    frame = int(rng.uniform(0.0, 0.3) * rate_hz)
    while frame < frames:
        for _ in range(int(rng.integers(1, 5))):
            consonant, vowel = (int(rng.uniform(*span) * rate_hz) for span in ((0.03, 0.12), (0.06, 0.22)))
            kind, loud = rng.random(), rng.uniform(0.4, 1.0)
            rise = np.sin(np.linspace(0.1, np.pi, consonant + vowel)) ** 0.5 * loud
            if kind < 0.35:
                hiss[frame : frame + consonant] = 1.0
                rise[:consonant] = loud * rng.uniform(0.1, 0.5)
            elif kind < 0.7:
                rise[: max(0, consonant - 2)] = 0.0
                hiss[frame + max(0, consonant - 2) : frame + consonant] = 0.7
            room = level[frame : frame + len(rise)]
            room[:] = rise[: len(room)]
            targets.append((frame + consonant, VOWELS_HZ[rng.integers(len(VOWELS_HZ))] * size))
            frame += consonant + vowel
        frame += int(rng.choice([rng.uniform(0.02, 0.15), rng.uniform(0.3, 1.2)], p=[0.8, 0.2]) * rate_hz)
    when = np.array([at for at, _ in targets] or [0], np.float64)
    which = np.stack([hz for _, hz in targets] or [VOWELS_HZ[0]])
    return level, hiss, np.stack([np.interp(np.arange(frames), when, which[:, k]) for k in range(3)], axis=1)


def _wander(rng: np.random.Generator, frames: int, rate_hz: float, per_s: float) -> NDArray[np.float64]:
    points = rng.uniform(-1.0, 1.0, int(frames / rate_hz * per_s) + 3)
    return np.interp(np.arange(frames), np.linspace(0, frames, len(points)), points)


def _responses(
    resonances_hz: NDArray[np.float64], hiss: NDArray[np.float64], rate_hz: int
) -> NDArray[np.float64]:
    """Return the magnitude response of each frame, (frames, _WINDOW // 2 + 1)."""
    hz = np.fft.rfftfreq(_WINDOW, 1.0 / rate_hz)
    vowels = np.zeros((len(resonances_hz), len(hz)))
    for k, (weight, width_hz) in enumerate(((1.0, 70.0), (0.5, 100.0), (0.25, 140.0))):
        vowels += weight / (1.0 + ((hz - resonances_hz[:, k : k + 1]) / width_hz) ** 2)
    fricative = 1.0 / (1.0 + ((hz - 5_000.0) / 1_500.0) ** 2)
    return np.asarray(vowels * (1.0 - hiss[:, None]) + fricative * hiss[:, None])


def _filtered(source: NDArray[np.float64], responses: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.hanning(_WINDOW + 1)[:-1]
    padded = np.concatenate([np.zeros(_WINDOW // 2), source, np.zeros(_WINDOW + _HOP)])
    out = np.zeros_like(padded)
    for frame, response in enumerate(responses):
        at = frame * _HOP
        part = np.fft.rfft(padded[at : at + _WINDOW] * window)
        out[at : at + _WINDOW] += np.fft.irfft(part * response)
    return np.asarray(out[_WINDOW // 2 : _WINDOW // 2 + len(source)] / 2.0)


def babble_clips(cache: Path) -> list[Clip]:
    """Return some minutes of it, one voice a file, made now or by an earlier run.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    folder = cache / f"babble-{_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for voice in range(_VOICES):
        path = folder / f"voice-{voice:02d}.wav"
        if not path.exists():
            samples = babble(np.random.default_rng([_VERSION, voice]), int(_SECONDS * _RATE_HZ))
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            with wave.open(str(temporary), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(_RATE_HZ)
                file.writeframes((np.clip(samples, -1.0, 1.0) * 32_767.0).astype("<i2").tobytes())
            temporary.replace(path)
        source = f"{COLLECTION} {voice}"
        clips.append(Clip(path, "", 0, source, COLLECTION, LICENCE, kind="speech", duration_s=_SECONDS))
    return clips
