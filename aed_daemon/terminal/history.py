"""SpectrumHistory: the last seconds of a source's log-mel spectrogram, in columns of a tenth of a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.observer import Observation
from aed_daemon.spec import FeatureSpec

COLUMN_S = 0.1
COLUMNS = 600
"""As many as a wide terminal shows."""

_DB_PER_NEPER = 20.0 / np.log(10.0)


class SpectrumHistory:
    """Keeps, for each tenth of a second, the largest magnitude of every band.

    Parameters
    ----------
    spec : FeatureSpec
        What the rows of a patch are.

    Attributes
    ----------
    end : int
        The first column that is not there yet, counted since the source opened.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._hop_length = spec.hop_length
        self._column_frames = round(COLUMN_S * spec.frames_per_second)
        self._ring = np.full((COLUMNS, spec.n_mels), -np.inf, np.float32)
        self._next_frame = 0
        self.end = 0

    def column(self, sample: int) -> int:
        """Return the column that a sample index falls into."""
        return sample // self._hop_length // self._column_frames

    def push(self, observation: Observation) -> None:
        """Take what a hop adds; what was lost before it stays empty."""
        rows = observation.decision.patch.rows
        end = observation.end_sample // self._hop_length
        rows = rows[-max(0, min(len(rows), end - self._next_frame)) :] if end > self._next_frame else rows[:0]
        self._next_frame = end
        columns = np.arange(end - len(rows), end) // self._column_frames
        fresh = columns[columns >= self.end]
        if len(fresh):
            until = int(fresh[-1]) + 1
            self._ring[np.arange(max(self.end, until - COLUMNS), until) % COLUMNS] = -np.inf
            self.end = until
        np.maximum.at(self._ring, columns % COLUMNS, rows)

    def last(self, count: int) -> NDArray[np.float32]:
        """Return the last columns, float32 (count, n_mels), dB, -inf where nothing was heard."""
        count = min(count, COLUMNS)
        wanted = np.arange(self.end - count, self.end)
        found: NDArray[np.float32] = self._ring[wanted % COLUMNS] * np.float32(_DB_PER_NEPER)
        found[wanted < 0] = -np.inf
        return found
