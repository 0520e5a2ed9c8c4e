"""Outbox: where events wait until the broker has acknowledged them, and where they get their number.

An event is *committed* when it has its `epoch` and `seq` and is stored, on disk or in memory. From
this moment it is delivered at least once or announced as part of a hole; no sink sees it before.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Literal, Protocol

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
    age_s : float
        Time since it was committed, s.
    """

    position: int
    event: Event
    age_s: float = 0.0


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


@dataclass(frozen=True, slots=True)
class OutboxState:
    """Where events wait, and for how long they have.

    Parameters
    ----------
    kind : str
        `disk`: what is committed survives the process and a power loss. `memory`: neither.
    problem : str or None
        Why it is memory although it should be the disk.
    oldest_s : float or None
        Age of the oldest event that waits, s.
    """

    kind: Literal["disk", "memory"]
    problem: str | None = None
    oldest_s: float | None = None


def as_entry(position: int, payload: str, age_s: float, *, replayed: bool) -> Entry:
    """Return a stored event as it is to be sent; `replayed`: whether an earlier process stored it."""
    event = Event.model_validate_json(payload)
    if (replayed or age_s > REPLAYED_AFTER_S) and not event.replayed:
        event = event.model_copy(update={"replayed": True})
    return Entry(position, event, max(0.0, age_s))


def without(holes: list[Hole], announced: Hole) -> list[Hole]:
    """Return what is left of holes once `announced` is known; one may have grown since."""
    left = []
    for hole in holes:
        if hole.epoch != announced.epoch or hole.first_seq > announced.last_seq:
            left.append(hole)
        elif hole.last_seq > announced.last_seq:
            left.append(Hole(hole.epoch, announced.last_seq + 1, hole.last_seq, hole.reason))
    return left


class Outbox(Protocol):
    """Numbers events and keeps them until they are acknowledged; safe to call from any thread.

    No method waits for a disk, `flush` and `close` excepted.
    """

    @property
    def epoch(self) -> str:
        """8 hex digits; changes whenever `seq` cannot be continued."""

    @property
    def depth(self) -> int:
        """How many events wait."""

    @property
    def dead_letters(self) -> int:
        """How many events were refused: those still kept at the start, and all since."""

    @property
    def state(self) -> OutboxState:
        """Where events wait."""

    def listen(self, committed: Callable[[Event], None]) -> None:
        """Call `committed` with every event from now on, once it is committed, in order of `seq`.

        It is called from one thread at a time, must return at once, and must not call this outbox.
        """

    def wake_on_more(self, wake: Callable[[], None]) -> None:
        """Call `wake` when `pending` has something again after it returned less than there is."""

    def append(self, draft: Event) -> object:
        """Take an event to be committed; whoever listens is told when it is."""

    def pending(self, limit: int, under_way: Container[int] = ()) -> list[Entry]:
        """Return the oldest entries whose position is not `under_way`, in order; at most `limit`.

        There may be more than are returned, on a disk that has not been read yet.
        """

    def acknowledge(self, position: int) -> None:
        """Let an entry go: it was delivered. One that is gone already is no error."""

    def dead_letter(self, position: int, reason: str) -> None:
        """Put an entry aside: the broker refuses it."""

    def holes(self) -> list[Hole]:
        """Return what was dropped and has not been announced yet, oldest first."""

    def announced(self, hole: Hole) -> None:
        """Forget a hole: subscribers know of it."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was appended is committed; return whether it is, within `timeout_s`."""

    def close(self, timeout_s: float) -> None:
        """Commit what there is and let go of the store, within `timeout_s`."""


class MemoryOutbox:
    """An outbox in memory: survives the broker, not the process.

    Parameters
    ----------
    capacity : int
        Most events to keep; the oldest is dropped for a new one, and the hole is remembered. 0:
        number the events and keep none, for a daemon that has nobody to deliver to.
    clock : callable
        Monotonic seconds.
    max_age_s : float
        An event that waits for longer is dropped, s.

    Notes
    -----
    Events wait as JSON, a fifth of the size of the objects: a night without a broker must not
    cost tens of megabytes.
    """

    def __init__(
        self,
        capacity: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_age_s: float = float("inf"),
    ) -> None:
        if capacity < 0:
            raise ValueError(f"capacity must be 0 or more, got {capacity}")
        self._capacity = capacity
        self._clock = clock
        self._max_age_s = max_age_s
        self._committed: Callable[[Event], None] | None = None
        self._lock = threading.Lock()
        self._epoch = os.urandom(4).hex()
        self._next_seq = 0
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

    @property
    def state(self) -> OutboxState:
        """Memory, as it should be."""
        with self._lock:
            oldest = next(iter(self._waiting.values()), None)
        return OutboxState("memory", oldest_s=None if oldest is None else self._clock() - oldest[1])

    def listen(self, committed: Callable[[Event], None]) -> None:
        """Call `committed` with every event from now on."""
        with self._lock:
            self._committed = committed

    def wake_on_more(self, wake: Callable[[], None]) -> None:
        """Do nothing: everything that waits can always be returned."""

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
            if self._committed is not None:
                self._committed(event)
            return event

    def pending(self, limit: int, under_way: Container[int] = ()) -> list[Entry]:
        """Return the oldest entries that are not `under_way`, in order; at most `limit`."""
        found: list[tuple[int, str, float]] = []
        with self._lock:
            self._drop_aged()
            for seq, (payload, committed_s) in self._waiting.items():
                if len(found) >= limit:
                    break
                if seq not in under_way:
                    found.append((seq, payload, committed_s))
        now_s = self._clock()
        return [
            as_entry(seq, payload, now_s - committed_s, replayed=False) for seq, payload, committed_s in found
        ]

    def waiting(self) -> list[tuple[int, str, float]]:
        """Return seq, JSON and time of commit of everything that waits, oldest first."""
        with self._lock:
            return [(seq, payload, committed_s) for seq, (payload, committed_s) in self._waiting.items()]

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
            self._holes = without(self._holes, hole)

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing to wait for
        """Return True: what was appended is committed."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing: there is nothing to let go of."""

    def _keep(self, event: Event) -> None:
        payload = event.to_json()
        try:
            Event.model_validate_json(payload)
        except ValidationError as error:  # not a number, say: no subscriber could read it either
            self._bury(event, "not a valid event")
            if (held := self._quiet.due("invalid")) is not None:
                _log.error("event_is_not_valid", event_id=event.id, error=str(error), not_shown=held)
            return
        self._drop_aged()
        while len(self._waiting) >= self._capacity:
            self._drop_oldest("outbox_full")
        self._waiting[event.seq] = (payload, self._clock())

    def _bury(self, event: Event, reason: str) -> None:
        self._dead.append(DeadLetter(event, reason))
        self._dead_count += 1

    def _remove(self, seq: int) -> str | None:
        found = self._waiting.pop(seq, None)
        return found[0] if found else None

    def _drop_aged(self) -> None:
        oldest_s = self._clock() - self._max_age_s
        while self._waiting and next(iter(self._waiting.values()))[1] < oldest_s:
            self._drop_oldest("expired")

    def _drop_oldest(self, reason: str) -> None:
        seq, _ = self._waiting.popitem(last=False)
        self._dropped_count += 1
        last = self._holes[-1] if self._holes else None
        if last and last.last_seq == seq - 1 and last.reason == reason:
            self._holes[-1] = Hole(self._epoch, last.first_seq, seq, reason)
        else:
            self._holes.append(Hole(self._epoch, seq, seq, reason))
