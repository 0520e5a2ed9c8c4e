"""Where in the level a sound begins and ends, to the 10 ms frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.level import LevelFrames, NoiseFloor

RANGE_CDB = 2_000
"""A sound is where the level lies within 20 dB of its loudest frame."""

SNR_CDB = 600
"""And at least 6 dB above the noise floor, where its loudest frame does."""

LEAST_BACKGROUND_FRAMES = 20
"""What sounded before a window is known from so many frames on."""

BRIDGE_FRAMES = 10
"""Quiet stretches of up to so many frames do not part a sound from what came before."""

UNSETTLED = 1_000_000
"""In place of the floor before it is known: so high that nothing is loud."""


class LevelHistory:
    """The levels of the last frames, by frame number, and the noise floor under them.

    Parameters
    ----------
    frames : int
        How many are kept; an onset is looked for no further back.
    """

    def __init__(self, frames: int) -> None:
        self._size = frames
        self.floor = NoiseFloor()
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is number 0."""
        self._kept = LevelFrames.none()
        self.end = 0
        self.floor.reset()

    def push(self, frames: LevelFrames) -> NDArray[np.int32]:
        """Take the next frames; return the noise floor before each, int32 (t,), `UNSETTLED` at first."""
        self._kept = LevelFrames.join([self._kept, frames]).cut(slice(-self._size, None))
        self.end += len(frames.rms_cdb)
        floors = np.empty(len(frames.rms_cdb), np.int32)
        for position, rms_cdb in enumerate(frames.rms_cdb.tolist()):
            floors[position] = self.floor.cdb if self.floor.settled else UNSETTLED
            self.floor.push(rms_cdb)
        return floors

    def between(self, first: int, last: int) -> LevelFrames:
        """Return the frames [first, last), as far as they are kept."""
        begin = self.end - len(self._kept.rms_cdb)
        return self._kept.cut(slice(max(0, first - begin), max(0, last - begin)))

    def loudest_cdb(self, first: int, last: int) -> int:
        """Return the level of the loudest of the frames [first, last), at least one, 0.01 dBFS."""
        return int(self.between(first, last).rms_cdb.max())

    def audible_cdb(self, first: int, last: int) -> int:
        """Return the level from which a frame belongs to the sound heard in [first, last), 0.01 dBFS."""
        loudest, over_floor = self.loudest_cdb(first, last), self.floor.cdb + SNR_CDB
        return max(loudest - RANGE_CDB, over_floor) if loudest >= over_floor else loudest - RANGE_CDB

    def onset(self, first: int, last: int, earliest: int) -> int:
        """Return the frame at which the sound heard in [first, last) begins.

        It is the first audible one of the window, or, where audible frames lead up to that one
        without a pause of more than `BRIDGE_FRAMES`, the first of those; never before `earliest`.
        A sound that does not stand out of the floor begins with the window. Where the loudest frame
        stands 6 dB above what sounded before the window, such as music, so must the audible ones.
        """
        first = max(first, earliest)
        if self.loudest_cdb(first, last) < self.floor.cdb + SNR_CDB:
            return first
        levels = self.between(earliest, last).rms_cdb
        begin = last - len(levels)
        audible_cdb, over_background = self.audible_cdb(first, last), self._background_cdb(first) + SNR_CDB
        if self.loudest_cdb(first, last) >= over_background:
            audible_cdb = max(audible_cdb, over_background)
        audible = np.flatnonzero(levels >= audible_cdb) + begin
        onset = int(audible[np.searchsorted(audible, first)])
        for frame in audible[audible < onset][::-1].tolist():
            if onset - frame > BRIDGE_FRAMES + 1:
                break
            onset = frame
        return onset

    def _background_cdb(self, first: int) -> int:
        """Return the median level of the frames kept before `first`, `UNSETTLED` of too few."""
        levels = self.between(0, first).rms_cdb
        if len(levels) < LEAST_BACKGROUND_FRAMES:
            return UNSETTLED
        return int(np.partition(levels, (len(levels) - 1) // 2)[(len(levels) - 1) // 2])

    def offset(self, first: int, last: int) -> int:
        """Return the frame after the last audible one of [first, last)."""
        levels = self.between(first, last).rms_cdb
        audible = np.flatnonzero(levels >= self.audible_cdb(first, last))
        return last - len(levels) + int(audible[-1]) + 1
