"""Outbox: where events wait until the broker has acknowledged them, and where they get their number."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from pydantic import ValidationError

from aed_daemon.events import Event
from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

REPLAYED_AFTER_S = 5.0
"""An event that is sent later than this after it was committed is marked `replayed`."""

_DEAD_LETTERS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that waits.

    Parameters
    ----------
    position : int
        Where it stands in the outbox; grows with every entry. Opaque otherwise: an outbox that
        outlives its epoch holds entries of several.
    event : Event
        The event as it is to be sent now, `replayed` included.
    """

    position: int
    event: Event


@dataclass(frozen=True, slots=True)
class Hole:
    """Events of one epoch that had to be dropped, both ends included."""

    epoch: str
    first_seq: int
    last_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that the broker refused, and why."""

    event: Event
    reason: str


class Outbox(Protocol):
    """Numbers events and keeps them until they are acknowledged; safe to call from any thread."""

    @property
    def epoch(self) -> str:
        """8 hex digits; changes whenever `seq` cannot be continued."""

    @property
    def depth(self) -> int:
        """How many events wait."""

    @property
    def dead_letters(self) -> int:
        """How many events were refused since the start."""

    def append(self, draft: Event) -> Event:
        """Commit an event and return it with its `epoch` and `seq`. Never blocks for long."""

    def pending(self, after: int | None, limit: int) -> list[Entry]:
        """Return the oldest entries after position `after` (None: from the first one), in order."""

    def acknowledge(self, position: int) -> None:
        """Let an entry go: it was delivered. One that is gone already is no error."""

    def dead_letter(self, position: int, reason: str) -> None:
        """Put an entry aside: the broker refuses it."""

    def holes(self) -> list[Hole]:
        """Return what was dropped and has not been announced yet, oldest first."""

    def announced(self, hole: Hole) -> None:
        """Forget a hole: subscribers know of it."""


class MemoryOutbox:
    """An outbox in memory: survives the broker, not the process.

    Parameters
    ----------
    capacity : int
        Most events to keep; the oldest is dropped for a new one, and the hole is remembered. 0:
        number the events and keep none, for a daemon that has nobody to deliver to.
    clock : callable
        Monotonic seconds.

    Notes
    -----
    Events wait as JSON, a fifth of the size of the objects: a night without a broker must not
    cost tens of megabytes.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        if capacity < 0:
            raise ValueError(f"capacity must be 0 or more, got {capacity}")
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._epoch = os.urandom(4).hex()
        self._next_seq = 0
        self._first_seq = 0  # nothing that waits is older
        # By seq, in order, with the time of commit; a plain dict gets slow when its front is eaten away.
        self._waiting: OrderedDict[int, tuple[str, float]] = OrderedDict()
        self._holes: list[Hole] = []
        self._dead: deque[DeadLetter] = deque(maxlen=_DEAD_LETTERS_KEPT)
        self._dead_count = 0
        self._dropped_count = 0
        self._quiet = OncePer(clock=clock)

    @property
    def capacity(self) -> int:
        """Most events that wait; 0: none is kept."""
        return self._capacity

    @property
    def epoch(self) -> str:
        """8 hex digits, new with every outbox."""
        return self._epoch

    @property
    def depth(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    @property
    def dead_letters(self) -> int:
        """How many events were refused since the start."""
        return self._dead_count

    @property
    def dropped(self) -> int:
        """How many events were dropped for want of room since the start."""
        return self._dropped_count

    def refused(self) -> list[DeadLetter]:
        """Return the last refused events, oldest first."""
        with self._lock:
            return list(self._dead)

    def append(self, draft: Event) -> Event:
        """Commit an event and return it with its `epoch` and `seq`."""
        with self._lock:
            event = draft.model_copy(update={"epoch": self._epoch, "seq": self._next_seq})
            if self._capacity:
                self._keep(event)
            self._next_seq += 1
            return event

    def pending(self, after: int | None, limit: int) -> list[Entry]:
        """Return the oldest entries after position `after` (None: from the first one), in order."""
        entries: list[Entry] = []
        with self._lock:
            now = self._clock()
            seq = self._first_seq if after is None else max(self._first_seq, after + 1)
            while len(entries) < limit and seq < self._next_seq:
                if seq in self._waiting:
                    payload, committed = self._waiting[seq]
                    event = Event.model_validate_json(payload)
                    if now - committed > REPLAYED_AFTER_S and not event.replayed:
                        event = event.model_copy(update={"replayed": True})
                    entries.append(Entry(seq, event))
                seq += 1
        return entries

    def acknowledge(self, position: int) -> None:
        """Let an entry go: it was delivered."""
        with self._lock:
            self._remove(position)

    def dead_letter(self, position: int, reason: str) -> None:
        """Put an entry aside: the broker refuses it."""
        with self._lock:
            payload = self._remove(position)
            if payload is not None:
                self._bury(Event.model_validate_json(payload), reason)

    def holes(self) -> list[Hole]:
        """Return what was dropped and has not been announced yet, oldest first."""
        with self._lock:
            return list(self._holes)

    def announced(self, hole: Hole) -> None:
        """Forget a hole, or the part of it that this one covers: it may have grown since."""
        with self._lock:
            left = []
            for other in self._holes:
                if other.last_seq <= hole.last_seq:
                    continue
                first = max(other.first_seq, hole.last_seq + 1)
                left.append(Hole(other.epoch, first, other.last_seq, other.reason))
            self._holes = left

    def _keep(self, event: Event) -> None:
        payload = event.to_json()
        try:
            Event.model_validate_json(payload)
        except ValidationError as error:  # not a number, say: no subscriber could read it either
            self._bury(event, "not a valid event")
            if (held := self._quiet.due("invalid")) is not None:
                _log.error("event_is_not_valid", event_id=event.id, error=str(error), not_shown=held)
            return
        while len(self._waiting) >= self._capacity:
            self._drop_oldest()
        self._waiting[event.seq] = (payload, self._clock())

    def _bury(self, event: Event, reason: str) -> None:
        self._dead.append(DeadLetter(event, reason))
        self._dead_count += 1

    def _remove(self, seq: int) -> str | None:
        found = self._waiting.pop(seq, None)
        if seq == self._first_seq:
            self._first_seq = next(iter(self._waiting), self._next_seq)
        return found[0] if found else None

    def _drop_oldest(self) -> None:
        seq = next(iter(self._waiting))
        del self._waiting[seq]
        self._first_seq = next(iter(self._waiting), self._next_seq)
        self._dropped_count += 1
        grows = bool(self._holes) and self._holes[-1].last_seq == seq - 1
        first_seq = self._holes.pop().first_seq if grows else seq
        self._holes.append(Hole(self._epoch, first_seq, seq, "outbox_full"))
