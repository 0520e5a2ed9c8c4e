"""Pauses between attempts."""

from __future__ import annotations

import random


class Backoff:
    """Growing pauses between attempts, each shortened by a random part so that peers spread out."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self.reset()

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Return the pause before the next attempt, in seconds."""
        pause_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets
        self._next_s = min(self._longest_s, 2.0 * self._next_s)
        return pause_s
