"""Which UTC time a sample index stands for."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

_WINDOW_S = 10.0
"""Blocks of this many seconds are compared: long against jitter, short against a drifting clock."""


class _Arrival(NamedTuple):
    end_index: int
    origin_s: float


class SampleClock:
    """Convert an index at the model's rate to UTC, without the jitter of when blocks arrived.

    A block cannot arrive before its last sample has sounded, only later. So of all recent blocks
    the one with the least delay tells best when sample 0 was: its origin is the earliest.

    Parameters
    ----------
    rate_hz : int
        The model's rate.
    exact : bool
        True where arrival times are computed, not measured (files): the first decides for good.

    Source
    ------
    The minimum filter of NTP's clock filter algorithm, RFC 5905 section 10, on one-way delays.
    """

    def __init__(self, rate_hz: int, *, exact: bool) -> None:
        self._rate_hz, self._exact = rate_hz, exact
        self._lock = threading.Lock()
        # Origins in rising order of index and of origin: the first is the minimum of the window.
        self._arrivals: deque[_Arrival] = deque()
        self._before_s: float | None = None

    def add(self, end_index: int, wall_time_s: float) -> None:
        """Take that the sample before `end_index` had arrived at `wall_time_s` (UTC, seconds)."""
        if self._exact and self._arrivals:
            return
        origin_s = wall_time_s - end_index / self._rate_hz
        oldest = end_index - _WINDOW_S * self._rate_hz
        with self._lock:
            while self._arrivals and self._arrivals[-1].origin_s >= origin_s:
                self._arrivals.pop()
            self._arrivals.append(_Arrival(end_index, origin_s))
            while self._arrivals[0].end_index < oldest:
                self._arrivals.popleft()

    def restart(self) -> None:
        """Measure anew, as after the device was away; until then the old origin holds."""
        with self._lock:
            if self._arrivals and not self._exact:
                self._before_s = self._arrivals[0].origin_s
                self._arrivals.clear()

    def utc_s(self, index: int) -> float | None:
        """Return when the sample `index` sounded, UTC in seconds since 1970; None before the first."""
        with self._lock:
            origin_s = self._arrivals[0].origin_s if self._arrivals else self._before_s
        return None if origin_s is None else origin_s + index / self._rate_hz
