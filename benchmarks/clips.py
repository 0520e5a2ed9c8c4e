"""ESC-10's clips, when they begin to sound, and soundtracks made of them; nothing of it is kept."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.outcome import UnavailableError

RATE_HZ = 16_000
FRAME_SAMPLES = 160
ONSET_RANGE_DB = 20.0
QUIET_DBFS = -75.0

DATA_DIR = Path(os.environ.get("AED_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))


def clips(fold: int, name: str | None = None) -> list[Path]:
    """Return the clips of a fold, of one class if its folder's `name` is given, in order.

    Raises
    ------
    UnavailableError
        Where ESC-10 is not there.
    """
    folders = [path for path in (DATA_DIR / "esc10").glob("0*") if name is None or path.name.endswith(name)]
    found = sorted((path.name, path) for folder in folders for path in folder.glob(f"{fold}-*.ogg"))
    if not found:
        raise UnavailableError("ESC-10 is missing: set AED_DATA_DIR to the folder that holds esc10")
    return [path for _, path in found]


def decode(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """Return a clip's mean channel, float32 (n,); by SciPy, so that it owes nothing to what is measured."""
    import soundfile
    from scipy import signal

    samples, native_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if native_hz != rate_hz:
        divisor = gcd(native_hz, rate_hz)
        mono = signal.resample_poly(mono, rate_hz // divisor, native_hz // divisor)
    return np.asarray(mono, np.float32)


def onset_frame(samples: NDArray[np.float32]) -> int:
    """Return the first 10 ms frame within 20 dB of the clip's loudest frame, by RMS, at 16 kHz."""
    count = len(samples) // FRAME_SAMPLES
    frames = samples[: count * FRAME_SAMPLES].astype(np.float64).reshape(count, FRAME_SAMPLES)
    power = np.mean(frames**2, axis=1)
    return int(np.argmax(power >= power.max() * 10 ** (-ONSET_RANGE_DB / 10)))


def to_s16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return float32 of full scale 1.0 as 16-bit integers."""
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767), np.int16)


def write_recording(path: Path, rate_hz: int, seconds: float, fold: int = 5) -> None:
    """Write a 16-bit WAV of the clips of a fold, one after the other, over again until it is long enough."""
    joined = np.concatenate([to_s16(decode(clip, rate_hz)) for clip in clips(fold)])
    looped = np.resize(joined, round(seconds * rate_hz))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(looped.tobytes())


@dataclass(frozen=True)
class Span:
    """Where a clip is in a soundtrack, in samples.

    Attributes
    ----------
    clip : str
        Its file's name.
    begin, onset, end : int
        First sample, first audible one, and the end of the quiet that follows.
    """

    clip: str
    begin: int
    onset: int
    end: int


@dataclass(frozen=True)
class Soundtrack:
    """Clips with a quiet microphone's noise before, between, after and under them.

    Attributes
    ----------
    samples : ndarray, int16 (n,)
        At 16 kHz.
    spans : tuple of Span
        The clips, in order.
    """

    samples: NDArray[np.int16]
    spans: tuple[Span, ...]


def quiet(samples: int, seed: int) -> NDArray[np.float32]:
    """Return the noise of a quiet microphone, float32 (n,)."""
    noise = np.random.default_rng(seed).standard_normal(samples)
    return np.asarray(noise * 10 ** (QUIET_DBFS / 20), np.float32)


def soundtrack(
    paths: Sequence[Path], *, lead_s: float, before_s: float, after_s: float, hop_s: float, seed: int
) -> Soundtrack:
    """Return a soundtrack.

    Parameters
    ----------
    paths : sequence of Path
        The clips.
    lead_s : float
        Quiet at the very start, s.
    before_s, after_s : float
        Quiet around each clip, s.
    hop_s : float
        Up to so much more quiet before each clip: onsets must not favour a phase of the decisions.
    seed : int
        Of noise and phases.
    """
    phases = np.random.default_rng(seed).uniform(0.0, hop_s, len(paths))
    spans, parts = [], [np.zeros(round(lead_s * RATE_HZ), np.float32)]
    at = len(parts[0])
    for path, phase_s in zip(paths, phases, strict=True):
        sound = decode(path, RATE_HZ)
        lull = np.zeros(round((before_s + phase_s) * RATE_HZ), np.float32)
        rest = np.zeros(round(after_s * RATE_HZ), np.float32)
        begin = at + len(lull)
        at = begin + len(sound) + len(rest)
        spans.append(Span(path.name, begin, begin + onset_frame(sound) * FRAME_SAMPLES, at))
        parts += [lull, sound, rest]
    joined = np.concatenate(parts)
    return Soundtrack(to_s16(joined + quiet(len(joined), seed)), tuple(spans))
