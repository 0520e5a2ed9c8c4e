"""Where a crop of one patch lies in a segment of the bank, and what it shows of the sound.

The daemon slides its window over continuous sound. So a short sound must be known as soon as a
fraction of a second of it is in the window, behind quiet; and a crop without the sound must never
bear its name, though it was cut from a clip that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_tools.training.bank import Segments

LEAST_ACTIVE_FRAMES = 20
"""Frames of the sound that a crop must show, unless the whole sound is shorter."""

_QUIET_FRAMES = 12
_WHOLE_SHARE = 0.6
"""A crop with this share of what a window can show of a short sound shows it whole."""


@dataclass(frozen=True)
class Window:
    """One crop: frames [start, start + patch) of a segment, of which [seen_from, seen_to) are kept.

    Attributes
    ----------
    segment : int
        Index into the bank.
    start : int
        First frame, counted from the segment's first; may be negative, or reach past its end.
    seen_from, seen_to : int
        Frames of the crop, 0 to patch; outside them it is silent.
    partial : bool
        Whether it shows the beginning or the end of the sound only.
    """

    segment: int
    start: int
    seen_from: int
    seen_to: int
    partial: bool


@dataclass(frozen=True)
class Cutter:
    """A segment ready for cutting.

    Attributes
    ----------
    segment : int
        Index into the bank.
    length : int
        Frames.
    transient : bool
        Whether its sound must be known from its first fraction of a second.
    active_before : ndarray, int32 (length + 1,)
        Active frames before each.
    onsets, offsets : ndarray, int64 (k,)
        Active frames after, or before, at least 120 ms without any.
    least_active : int
        Active frames that a crop must show.
    patch : int
        Frames of a crop.
    """

    segment: int
    length: int
    transient: bool
    active_before: NDArray[np.int32]
    onsets: NDArray[np.int64]
    offsets: NDArray[np.int64]
    least_active: int
    patch: int

    def shown(self, window: Window) -> int:
        """Return how many active frames a crop shows."""
        low = min(max(window.start + window.seen_from, 0), self.length)
        high = min(max(window.start + window.seen_to, low), self.length)
        return int(self.active_before[high] - self.active_before[low])

    def cut(self, rng: np.random.Generator) -> Window | None:
        """Return one crop with the sound somewhere in it; None if the segment holds no sound.

        About half of the crops of transient classes show the first 0.2 to 0.65 s of the sound at the
        end of the window, an eighth its last at the start; the others lie anywhere.
        """
        dice = rng.random()
        late, early = (0.5, 0.62) if self.transient else (0.2, 0.25)
        shortest, longest = (22, 65) if self.transient else (45, 90)
        for _ in range(3):
            seen = int(rng.integers(shortest, longest))
            if dice < late and self.onsets.size:
                onset = int(self.onsets[rng.integers(self.onsets.size)])
                first = self.patch - seen - 1 if rng.random() < 0.7 else 0
                window = Window(self.segment, onset - (self.patch - seen), first, self.patch, True)
            elif dice < early and self.offsets.size:
                offset = int(self.offsets[rng.integers(self.offsets.size)]) + 1
                last = seen + 2 if rng.random() < 0.3 else self.patch
                window = Window(self.segment, offset - seen, 0, min(last, self.patch), True)
            else:
                break
            if self.shown(window) >= self.least_active:
                return window
        return self._anywhere(rng)

    def _anywhere(self, rng: np.random.Generator) -> Window | None:
        total = int(self.active_before[-1])
        for _ in range(8):
            if not total:
                return None
            frame = int(np.searchsorted(self.active_before, rng.integers(1, total + 1))) - 1
            start = frame - int(rng.integers(0, self.patch))
            if rng.random() < 0.8:
                start = min(max(start, 0), max(0, self.length - self.patch))
            window = Window(self.segment, start, 0, self.patch, False)
            if self.shown(window) >= self.least_active:
                return window
        return None


def cutter(bank: Segments, segment: int, *, transient: bool, patch: int) -> Cutter:
    """Find a segment's sound in it."""
    start, length = int(bank.start[segment]), int(bank.length[segment])
    active = bank.active[start : start + length]
    before = np.concatenate([[0], np.cumsum(active)]).astype(np.int32)
    at = np.arange(length)
    quiet_before = before[at] == before[np.maximum(at - _QUIET_FRAMES, 0)]
    quiet_after = before[np.minimum(at + 1 + _QUIET_FRAMES, length)] == before[at + 1]
    window = int((before[np.minimum(at + patch, length)] - before[at]).max(initial=0))
    least = max(1, min(LEAST_ACTIVE_FRAMES, int(_WHOLE_SHARE * window)))
    return Cutter(
        segment,
        length,
        transient,
        before,
        np.flatnonzero(active & quiet_before),
        np.flatnonzero(active & quiet_after),
        least,
        patch,
    )


def gather(bank: Segments, windows: list[Window], patch: int, floor: float) -> NDArray[np.float32]:
    """Return the magnitudes of crops, float32 (n, patch, n_mels); zero where a crop shows nothing."""
    log = np.full((len(windows), patch, bank.frames.shape[1]), np.log(floor), np.float16)
    for i, window in enumerate(windows):
        low = max(window.seen_from, -window.start, 0)
        high = min(window.seen_to, int(bank.length[window.segment]) - window.start, patch)
        if high > low:
            first = int(bank.start[window.segment]) + window.start
            log[i, low:high] = bank.frames[first + low : first + high]
    return np.maximum(np.exp(log.astype(np.float32)) - np.float32(floor), np.float32(0.0))


def levels(bank: Segments, window: Window, patch: int) -> NDArray[np.float32]:
    """Return the level in dBFS of each frame of a crop, float32 (patch,); -120 where it shows nothing."""
    found = np.full(patch, -120.0, np.float32)
    low = max(window.seen_from, -window.start, 0)
    high = min(window.seen_to, int(bank.length[window.segment]) - window.start, patch)
    if high > low:
        first = int(bank.start[window.segment]) + window.start
        found[low:high] = bank.level[first + low : first + high]
    return found
