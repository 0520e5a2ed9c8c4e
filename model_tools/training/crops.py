"""From recordings to crops of one patch: where a sound lies in the window, and what the crop is called.

The daemon slides its window over continuous sound. So a short sound must be known as soon as a
fraction of a second of it is in the window, behind quiet; and a crop without the sound must never
bear its name, though it was cut from a clip that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aed_daemon.level import LevelStream
from aed_daemon.spec import FeatureSpec

ACTIVE_RANGE_DB = 25.0
"""Frames this close to a clip's loudest are its sound."""

LEAST_ACTIVE_FRAMES = 20
"""Frames of the sound that a crop must show, unless the whole sound is shorter."""

TRANSIENT = frozenset({"dog", "crying_baby", "sneezing", "rooster"})
"""Classes whose sound must be known from its first fraction of a second."""

_QUIET_BEFORE_FRAMES = 12
_WHOLE_SHARE = 0.6
"""A crop with this share of what a window can show of a short sound shows it whole."""


@dataclass(frozen=True)
class Recording:
    """A clip ready for cutting.

    Attributes
    ----------
    samples : ndarray, float32 (n,)
        At the model's rate.
    label : int
        Its output of the network.
    transient : bool
        Whether it must be known from its first fraction of a second.
    floor_dbfs : float
        Level from which a 10 ms frame counts as its sound.
    active : ndarray, bool (frames,)
        10 ms frames that hold its sound.
    onsets, offsets : ndarray, int (k,)
        Active frames after, or before, at least 120 ms without any.
    least_active : int
        Active frames that a crop of it must show.
    """

    samples: NDArray[np.float32]
    label: int
    transient: bool
    floor_dbfs: float
    active: NDArray[np.bool_]
    onsets: NDArray[np.int64]
    offsets: NDArray[np.int64]
    least_active: int


def frame_dbfs(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float64]:
    """Return the RMS level of each whole hop in dBFS, float64 (frames,)."""
    return np.asarray(LevelStream(spec.hop_length).push(samples).rms_cdb / 100.0)


def analyse(samples: NDArray[np.float32], label: int, transient: bool, spec: FeatureSpec) -> Recording:
    """Find a clip's sound in it: `Recording`."""
    level = frame_dbfs(samples, spec)
    floor_dbfs = max(float(level.max(initial=-120.0)) - ACTIVE_RANGE_DB, -90.0)
    active = level >= floor_dbfs
    near = np.convolve(active, np.ones(_QUIET_BEFORE_FRAMES, int))
    before = np.concatenate([[0], near[: len(active)]])[: len(active)]
    after = np.concatenate([near[_QUIET_BEFORE_FRAMES:], [0]])[: len(active)]
    window = np.convolve(active, np.ones(spec.patch_frames, int)).max(initial=0)
    least = max(1, min(LEAST_ACTIVE_FRAMES, int(_WHOLE_SHARE * window)))
    return Recording(
        samples,
        label,
        transient,
        floor_dbfs,
        active,
        np.flatnonzero(active & (before == 0)),
        np.flatnonzero(active & (after == 0)),
        least,
    )


def crop_samples(spec: FeatureSpec) -> int:
    """Return the samples that the frames of one patch see."""
    return (spec.patch_frames - 1) * spec.hop_length + spec.n_fft


def stretch(samples: NDArray[np.float32], start: float, n: int, speed: float) -> NDArray[np.float32]:
    """Return n samples read from `start` on at `speed` input samples each; zeros outside.

    Linear interpolation: it dulls the top octave a little, as many microphones do.
    """
    first = int(np.floor(start))
    length = int(np.ceil(n * speed)) + 2
    piece = np.zeros(length, np.float32)
    low, high = max(first, 0), min(first + length, len(samples))
    if high > low:
        piece[low - first : high - first] = samples[low:high]
    if speed == 1.0 and start == first:
        return piece[:n]
    at = (start - first) + np.arange(n) * speed
    whole = at.astype(np.int64)
    part = (at - whole).astype(np.float32)
    return np.asarray(piece[whole] * (1.0 - part) + piece[whole + 1] * part, np.float32)


def fade(samples: NDArray[np.float32], at: int, *, before: bool, length: int = 160) -> None:
    """Silence everything before, or after, sample `at`, in place, with a linear ramp of `length` samples."""
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    at = min(max(at, 0), len(samples))
    if before:
        start = max(at - length, 0)
        samples[:start] = 0.0
        samples[start:at] *= ramp[length - (at - start) :]
    else:
        stop = min(at + length, len(samples))
        samples[stop:] = 0.0
        samples[at:stop] *= ramp[::-1][: stop - at]


def cut(
    rng: np.random.Generator, recording: Recording, spec: FeatureSpec
) -> tuple[NDArray[np.float32], bool]:
    """Cut one crop out of a recording, with the sound somewhere in it.

    About half of the crops of transient classes show the first 0.2 to 0.65 s of the sound at the
    end of the window, an eighth its last at the start; the others lie anywhere.

    Returns
    -------
    ndarray, float32 (crop_samples,)
        The crop.
    bool
        Whether it shows only the beginning or the end of the sound.
    """
    n = crop_samples(spec)
    speed = float(rng.uniform(0.88, 1.12))
    dice = rng.random()
    late, early = (0.5, 0.62) if recording.transient else (0.2, 0.25)
    shortest, longest = (0.22, 0.65) if recording.transient else (0.45, 0.9)
    for _ in range(3):
        seen = int(rng.uniform(shortest, longest) * spec.sample_rate_hz)
        if dice < late and recording.onsets.size:
            onset = int(rng.choice(recording.onsets)) * spec.hop_length
            crop = stretch(recording.samples, onset - (n - seen) * speed, n, speed)
            if rng.random() < 0.7:
                fade(crop, n - seen - spec.hop_length, before=True)
        elif dice < early and recording.offsets.size:
            offset = (int(rng.choice(recording.offsets)) + 1) * spec.hop_length
            crop = stretch(recording.samples, offset - seen * speed, n, speed)
            if rng.random() < 0.3:
                fade(crop, seen + 2 * spec.hop_length, before=False)
        else:
            break
        if _shows(recording, crop, spec):
            return crop, True
    return _anywhere(rng, recording, spec, speed), False


def _anywhere(
    rng: np.random.Generator, recording: Recording, spec: FeatureSpec, speed: float
) -> NDArray[np.float32]:
    n = crop_samples(spec)
    frames = np.flatnonzero(recording.active)
    crop = np.zeros(n, np.float32)
    for _ in range(8):
        frame = int(rng.choice(frames)) if frames.size else 0
        start = frame * spec.hop_length - rng.uniform(0.0, 1.0) * n * speed
        if rng.random() < 0.8:
            start = min(max(start, 0.0), max(0.0, len(recording.samples) - n * speed - 2))
        crop = stretch(recording.samples, start, n, speed)
        if _shows(recording, crop, spec):
            break
    return crop


def _shows(recording: Recording, crop: NDArray[np.float32], spec: FeatureSpec) -> bool:
    return int(np.count_nonzero(frame_dbfs(crop, spec) >= recording.floor_dbfs)) >= recording.least_active


def noise_limit_dbfs(crop: NDArray[np.float32], least_active: int, spec: FeatureSpec) -> float:
    """Return the level in dBFS of the noise in which `least_active` frames of the crop can still be heard."""
    level = np.sort(frame_dbfs(crop, spec))[::-1]
    return float(level[min(least_active, len(level)) - 1])
