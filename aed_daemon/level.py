"""Sound level in 10 ms frames, as integers that firmware can reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FLOOR_CDB = -12_000
"""What digital silence is reported as, and the lowest level: -120.00 dBFS."""

_FULL_SCALE_MEAN_SQUARE = 1.0
"""0 dBFS is the RMS of a full-scale square wave (a full-scale sine has -3.01 dBFS)."""


def to_cdb(mean_square: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return mean squares (full scale 1.0) in hundredths of a decibel, int32, at least `FLOOR_CDB`."""
    least = 10.0 ** (FLOOR_CDB / 1_000)
    ratio = np.maximum(np.asarray(mean_square, np.float64) / _FULL_SCALE_MEAN_SQUARE, least)
    return np.asarray(np.rint(1_000.0 * np.log10(ratio)), np.int32)


class LevelFrames(NamedTuple):
    """Level of consecutive frames of `hop_length` samples.

    Attributes
    ----------
    rms_cdb, peak_cdb : ndarray, int32 (t,)
        Root mean square and largest magnitude, in 0.01 dBFS.
    clipped : ndarray, bool (t,)
        Whether a sample reached the device's full scale.
    """

    rms_cdb: NDArray[np.int32]
    peak_cdb: NDArray[np.int32]
    clipped: NDArray[np.bool_]

    @classmethod
    def none(cls) -> LevelFrames:
        """Return no frames."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.bool_))

    @classmethod
    def join(cls, parts: Sequence[LevelFrames]) -> LevelFrames:
        """Return the frames of all parts, at least one, in a row."""
        return cls(
            np.concatenate([part.rms_cdb for part in parts]),
            np.concatenate([part.peak_cdb for part in parts]),
            np.concatenate([part.clipped for part in parts]),
        )

    def cut(self, span: slice) -> LevelFrames:
        """Return the frames of a slice."""
        return LevelFrames(self.rms_cdb[span], self.peak_cdb[span], self.clipped[span])


class LevelStream:
    """Samples in, one level per `hop_length` samples out: level frame j covers [j hop, (j + 1) hop).

    Stream equals batch, as for `MelStream`.

    Parameters
    ----------
    hop_length : int
        Samples of a level frame.
    full_scale : float
        Sample value of 0 dBFS.
    gain_db : float
        Gain that the samples have been through, dB: the device's own full scale, where it clips, lies
        so much higher.
    """

    def __init__(self, hop_length: int, full_scale: float = 1.0, gain_db: float = 0.0) -> None:
        self._hop, self._full_scale = hop_length, full_scale
        self._clips_at = (1.0 - 2.0**-15) * 10.0 ** (gain_db / 20.0)
        self.delay_samples = hop_length // 2
        self.reset()

    def reset(self) -> None:
        """Forget the samples held; what comes next is level frame 0."""
        self._pending = np.empty(0, np.float32)
        self._frame = 0
        self._marked: set[int] = set()

    def push(
        self, samples: NDArray[np.float32], clipped: Sequence[tuple[int, int]] | None = None
    ) -> LevelFrames:
        """Take samples, float32 (n,), and return the level of the frames that they complete.

        Parameters
        ----------
        samples : ndarray, float32 (n,)
            What follows on.
        clipped : sequence of (int, int), optional
            Which of them, [first, end) counted from the last reset, the device has clipped; None:
            those whose magnitude is its full scale.
        """
        joined = np.concatenate([self._pending, samples]) if self._pending.size else samples
        whole = len(joined) // self._hop * self._hop
        self._pending = np.array(joined[whole:], np.float32)
        frames = joined[:whole].reshape(-1, self._hop) / np.float64(self._full_scale)
        peak = np.abs(frames).max(axis=1, initial=0.0)
        # einsum adds each row by itself in a fixed order, whatever the number of rows.
        mean_square = np.einsum("ij,ij->i", frames, frames) / self._hop
        full = peak >= self._clips_at if clipped is None else self._marks(clipped, len(frames))
        self._frame += len(frames)
        return LevelFrames(to_cdb(mean_square), to_cdb(peak**2), full)

    def _marks(self, clipped: Sequence[tuple[int, int]], frames: int) -> NDArray[np.bool_]:
        for first, end in clipped:
            self._marked.update(range(first // self._hop, (end - 1) // self._hop + 1))
        full = np.array([frame in self._marked for frame in range(self._frame, self._frame + frames)], bool)
        self._marked = {frame for frame in self._marked if frame >= self._frame + frames}
        return full


class NoiseFloor:
    """The level that the quietest moments of the last seconds had: minimum statistics on integers.

    The level is averaged over 100 ms, the least such average of each second is kept, and the floor
    is the least of the last ten seconds.

    Source: R. Martin, Noise Power Spectral Density Estimation Based on Optimal Smoothing and
    Minimum Statistics, IEEE Trans. Speech and Audio Processing 9(5), 2001; here without smoothing
    in frequency or compensation of the bias.
    """

    AVERAGE_FRAMES = 10
    BLOCK_AVERAGES = 10
    BLOCKS = 10

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._sum = self._frames = self._averages = 0
        self._block: int | None = None
        self._past: list[int] = []

    @property
    def settled(self) -> bool:
        """Whether a whole second has been heard."""
        return bool(self._past)

    @property
    def cdb(self) -> int:
        """The floor in 0.01 dBFS; `FLOOR_CDB` until it is `settled`."""
        if not self._past:
            return FLOOR_CDB
        least = min(self._past)
        return least if self._block is None else min(least, self._block)

    @property
    def estimate_cdb(self) -> int:
        """The floor for people: before it is `settled`, the quietest 100 ms (or frame) so far."""
        if self.settled:
            return self.cdb
        if self._block is not None:
            return self._block
        return self._sum // self._frames if self._frames else FLOOR_CDB

    def push(self, rms_cdb: int) -> None:
        """Take the level of one frame, in 0.01 dBFS."""
        self._sum += rms_cdb
        self._frames += 1
        if self._frames < self.AVERAGE_FRAMES:
            return
        average = self._sum // self.AVERAGE_FRAMES
        self._sum = self._frames = 0
        self._block = average if self._block is None else min(self._block, average)
        self._averages += 1
        if self._averages == self.BLOCK_AVERAGES:
            self._past = [*self._past[-(self.BLOCKS - 1) :], self._block]
            self._block, self._averages = None, 0
