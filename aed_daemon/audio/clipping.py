"""Where the device itself clipped: after gain, DC blocker and resampling that no longer shows."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = np.float32(1.0 - 2.0**-15)
"""The largest value of 16-bit PCM; from here on a device's sample is clipped."""

_SPANS = 4_096

Span = tuple[int, int]
"""Samples [first, end)."""


def spans_of(indices: NDArray[np.int64]) -> list[Span]:
    """Return runs of consecutive numbers; `indices` rise and may repeat."""
    if len(indices) == 0:
        return []
    runs = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs]


class ClipMarks:
    """Spans of clipped samples, by their index at the model's rate, from the reader to the pipeline.

    One thread adds, one takes, both in rising order. Where nobody takes, the oldest are forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: deque[Span] = deque(maxlen=_SPANS)

    def add(self, span: Span) -> None:
        """Take that the samples of a span are clipped; before they can be read."""
        with self._lock:
            if self._spans and self._spans[-1][1] >= span[0]:
                span = (self._spans.pop()[0], span[1])
            self._spans.append(span)

    def take(self, first: int, end: int) -> list[Span]:
        """Return the parts of spans that lie in [first, end), and forget all before `end`."""
        found = []
        with self._lock:
            while self._spans and self._spans[0][0] < end:
                begin, over = self._spans.popleft()
                if over > first:
                    found.append((max(begin, first), min(over, end)))
                if over > end:
                    self._spans.appendleft((end, over))
                    break
        return found
