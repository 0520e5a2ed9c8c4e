"""Which UTC time a sample index stands for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_WINDOW_S = 10.0
"""Blocks of this many seconds are compared: long against jitter, short against a drifting clock."""


_STEP_S = 0.1
"""A system clock that differs from the monotonic one by so much more than before was set, not slewed."""

_PROMPT_S = 1e-4
_READINGS = 5


def utc_offset_s() -> float:
    """Return the system clock less the monotonic one, in seconds; it changes when the clock is set."""
    best: tuple[float, float] | None = None
    for _ in range(_READINGS):
        before_s, now_s, after_s = time.monotonic(), time.time(), time.monotonic()
        # Who is put to sleep between the readings compares two different moments.
        if best is None or after_s - before_s < best[0]:
            best = after_s - before_s, now_s - (before_s + after_s) / 2
        if best[0] < _PROMPT_S:
            break
    return best[1] if best else 0.0


class _Arrival(NamedTuple):
    end_index: int
    origin_s: float


class SampleClock:
    """Convert an index at the model's rate to UTC, without the jitter of when blocks arrived.

    A block cannot arrive before its last sample has sounded, only later. So of all recent blocks
    the one with the least delay tells best when sample 0 was: its origin is the earliest. Origins
    are kept on the monotonic clock: a system clock that is set, by hand or by a time service that
    has found its server, moves what is asked for afterwards at once, and by that much.

    Parameters
    ----------
    rate_hz : int
        The model's rate.
    exact : bool
        True where arrival times are computed, not measured (files): the first decides for good.
    offset_s : callable
        The system clock less the monotonic one, now.

    Source
    ------
    The minimum filter of NTP's clock filter algorithm, RFC 5905 section 10, on one-way delays.
    """

    def __init__(self, rate_hz: int, *, exact: bool, offset_s: Callable[[], float] = utc_offset_s) -> None:
        self._rate_hz, self._exact = rate_hz, exact
        self._offset_s: Callable[[], float] = (lambda: 0.0) if exact else offset_s
        self._offset_before_s = self._offset_s()
        self._lock = threading.Lock()
        # Origins in rising order of index and of origin: the first is the minimum of the window.
        self._arrivals: deque[_Arrival] = deque()
        self._before_s: float | None = None

    def add(self, end_index: int, wall_time_s: float) -> None:
        """Take that the sample before `end_index` had arrived at `wall_time_s` (UTC, seconds)."""
        if self._exact and self._arrivals:
            return
        offset_s = self._offset_s()
        set_meanwhile = abs(offset_s - self._offset_before_s) > _STEP_S
        self._offset_before_s = offset_s
        if set_meanwhile and (self._arrivals or self._before_s is not None):
            return  # nobody knows which side of the step `wall_time_s` lies on
        origin_s = wall_time_s - offset_s - end_index / self._rate_hz
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
        return None if origin_s is None else origin_s + self._offset_s() + index / self._rate_hz
