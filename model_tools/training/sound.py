"""What a recording's sound is: how loud each hop is, which hops hold it, how it goes at another speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.level import LevelStream
from aed_daemon.spec import FeatureSpec

ACTIVE_RANGE_DB = 25.0
"""Hops this close to a clip's loudest are its sound."""

LOWEST_ACTIVE_DBFS = -90.0
"""Below this nothing is a sound."""

PAUSE_FRAMES = 12
"""A sound goes on through pauses of so many hops."""

TRANSIENT = frozenset({"dog", "crying_baby", "sneezing", "rooster"})
"""Classes of ESC-10 whose sound must be known from its first fraction of a second."""

INSTANT = TRANSIENT | {"clock_tick"}
"""Classes of ESC-10 whose events start as soon as may be; the others are confirmed for longer."""


def frame_dbfs(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float64]:
    """Return the RMS level of each whole hop in dBFS, float64 (frames,)."""
    return np.asarray(LevelStream(spec.hop_length).push(samples).rms_cdb / 100.0)


def active(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.bool_]:
    """Return which hops of a recording hold its sound, bool (frames,)."""
    return sounding(frame_dbfs(samples, spec))


def sounding(level: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which hops of a recording hold its sound, by their level in dBFS."""
    return np.asarray(level >= max(float(level.max(initial=-120.0)) - ACTIVE_RANGE_DB, LOWEST_ACTIVE_DBFS))


def longest_run(held: NDArray[np.bool_]) -> int:
    """Return how many hops a sound goes on at most, pauses of up to 120 ms included."""
    at = np.flatnonzero(held)
    if not at.size:
        return 0
    ends = np.flatnonzero(np.diff(at) > PAUSE_FRAMES)
    first, last = at[np.append(0, ends + 1)], at[np.append(ends, at.size - 1)]
    return int((last - first).max()) + 1


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
