"""OncePer: repeated conditions are counted, and logged at most once in a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class OncePer:
    """Says whether a repeated message is due, and how many were held back since the last one.

    Parameters
    ----------
    interval_s : float
        Least time between two messages with the same key, s.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, interval_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def due(self, key: str) -> int | None:
        """Return how many messages were held back if this one is due, else count it and return None."""
        now = self._clock()
        with self._lock:
            last = self._last.get(key)
            if last is not None and now - last < self._interval_s:
                self._held[key] = self._held.get(key, 0) + 1
                return None
            self._last[key] = now
            return self._held.pop(key, 0)
