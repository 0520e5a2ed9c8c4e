"""Inbox: commands that wait for the main loop, never more than so many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

CAPACITY = 100


class Command(NamedTuple):
    """A message to the daemon, as it came.

    Attributes
    ----------
    topic : str
        Below `prefix/node/`.
    payload : bytes
        Anything.
    """

    topic: str
    payload: bytes


class Inbox:
    """A bounded queue between the thread that receives and the one that acts.

    Parameters
    ----------
    on_arrival : callable
        Called after each `put`, from the receiving thread; must return at once.
    capacity : int
        Most commands that wait.
    """

    def __init__(self, on_arrival: Callable[[], None] = lambda: None, capacity: int = CAPACITY) -> None:
        self._on_arrival = on_arrival
        self._capacity = capacity
        self._lock = threading.Lock()
        self._waiting: deque[Command] = deque()

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._waiting)

    def put(self, command: Command) -> bool:
        """Take a command; False where too many wait already."""
        with self._lock:
            if len(self._waiting) >= self._capacity:
                return False
            self._waiting.append(command)
        self._on_arrival()
        return True

    def take(self) -> Command | None:
        """Return the oldest command, or None."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None
