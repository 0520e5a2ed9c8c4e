"""RetainedBoard: what the broker ought to hold, and what of it is still to be sent."""

from __future__ import annotations

import threading


class RetainedBoard:
    """The retained messages, by topic; only the newest of each counts. Safe from any thread.

    Bounded by the number of topics, so it can be written to however long the broker is away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._payloads: dict[str, str] = {}
        self._unsent: dict[str, None] = {}

    def set(self, topic: str, payload: str) -> bool:
        """Put a payload up; return whether it differs from what was there."""
        with self._lock:
            if self._payloads.get(topic) == payload:
                return False
            self._payloads[topic] = payload
            self._unsent[topic] = None
            return True

    def all_unsent(self) -> None:
        """Mark everything as to be sent, in the order in which the topics first came."""
        with self._lock:
            self._unsent = dict.fromkeys(self._payloads)

    def take(self) -> tuple[str, str] | None:
        """Return the next message to send, or None when all are sent."""
        with self._lock:
            if not self._unsent:
                return None
            topic = next(iter(self._unsent))
            del self._unsent[topic]
            return topic, self._payloads[topic]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be sent."""
        return not self._unsent
