"""DiskOutbox: an outbox in an SQLite file that survives the process and a power loss at any instant.

`append` puts an event into a queue and returns. The outbox's thread numbers and stores what is queued
in one transaction; once the disk has it, the event is committed, and handed on. Where the disk cannot
take it, or does not answer, events go on in memory under a new epoch, until it can again: what waits
in memory then moves to the disk, and another epoch begins. An epoch is never taken up again once the
store has been left, so no number can be given twice, whatever has become of a transaction that
seemed to fail.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable
from itertools import chain
from pathlib import Path

import structlog

from aed_daemon.events import Event
from aed_daemon.sinks.backlog import Arrival, Backlog, Work
from aed_daemon.sinks.outbox import Entry, Hole, OutboxState
from aed_daemon.sinks.outbox_writer import Writer
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.store_errors import StoreError
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits, Row, StoreFacts, Written

_log = structlog.get_logger(__name__)

STALL_S = 5.0
"""A disk that leaves an event uncommitted for so long is left."""

OPEN_WAIT_S = 2.0
"""Longest wait for the disk at the start."""

_QUEUE_MOST = 1_000
_BATCH_MOST = 256
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 300.0
_GOOD_S = 60.0  # a disk that worked for so long is tried again soon when it fails


class DiskOutbox:
    """An outbox on disk, or in memory for as long as the disk cannot be used.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits
        What may wait; the oldest is dropped for a new one, and the hole is remembered.
    opener : Opener
        Opens stores.
    stall_s : float
        See `STALL_S`.
    retry_s : float
        First pause before the disk is tried again, s; it doubles up to five minutes.

    Notes
    -----
    The constructor waits a moment for the disk, so that there is an epoch to publish. What was going
    on when the process before this one was cut off is ended first, with the reason `interrupted`.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        opener: Opener,
        *,
        stall_s: float = STALL_S,
        retry_s: float = _FIRST_RETRY_S,
    ) -> None:
        self._path, self._limits = path, limits
        self._clock = opener.clock
        self._stall_s, self._first_retry_s = stall_s, retry_s
        self._changed = threading.Condition()
        self._quiet = OncePer()
        self._listener: Callable[[Event], None] | None = None
        self._unheard: list[Event] = []
        self._wake: Callable[[], None] = _nothing
        self._backlog = Backlog(opener.clock, opener.utc, opener.process)
        self._queue: deque[tuple[float, Event]] = deque()
        self._in_flight: list[tuple[float, Event]] = []
        self._open: dict[str, Event] = {}
        self._epoch = ""
        self._confirmed: tuple[str, int] | None = None
        self._generation = 0  # changes when the writer is overtaken
        self._problem: str | None = None
        self._attempts = 0
        self._retry_at_s = 0.0
        self._left_disk_s = -_GOOD_S
        self._moved = False
        self._closing = False
        self._thread = threading.Thread(target=Writer(self, opener).run, name="outbox", daemon=True)
        self._thread.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._epoch, OPEN_WAIT_S):
                self._fall_back(_stalled(path))

    @property
    def epoch(self) -> str:
        """8 hex digits; changes whenever `seq` cannot be continued."""
        return self._epoch

    @property
    def depth(self) -> int:
        """How many events wait."""
        with self._changed:
            return self._backlog.depth

    @property
    def dead_letters(self) -> int:
        """How many events were refused: those still kept at the start, and all since."""
        with self._changed:
            return self._backlog.dead_letters

    @property
    def state(self) -> OutboxState:
        """Where events wait."""
        with self._changed:
            self._watch()
            return OutboxState("memory" if self.in_memory else "disk", self._problem, self._backlog.oldest_s)

    def listen(self, committed: Callable[[Event], None]) -> None:
        """Call `committed` with every event from now on, and with those that nobody heard before."""
        with self._changed:
            self._listener = committed
            unheard, self._unheard = self._unheard, []
            for event in unheard:
                committed(event)

    def wake_on_more(self, wake: Callable[[], None]) -> None:
        """Call `wake` when more of what waits has been read from the disk."""
        self._wake = wake

    def append(self, draft: Event) -> None:
        """Queue an event to be committed."""
        with self._changed:
            memory = self._backlog.memory
            if memory is not None and not self._backlog.moving:
                self._hand_on((memory.append(draft),))
            else:
                self._queue.append((self._clock(), draft))
                self._watch()
                self._changed.notify_all()

    def pending(self, limit: int, under_way: Container[int] = ()) -> list[Entry]:
        """Return the oldest entries that are not `under_way`, in order; at most `limit`."""
        with self._changed:
            self._watch()
            entries = self._backlog.pending(limit, under_way, self._limits.age_s)
        return entries()

    def acknowledge(self, position: int) -> None:
        """Let an entry go: it was delivered."""
        self._settle(position, None)

    def dead_letter(self, position: int, reason: str) -> None:
        """Put an entry aside: the broker refuses it."""
        self._settle(position, reason)

    def _settle(self, position: int, reason: str | None) -> None:
        with self._changed:
            if self._backlog.settle(position, reason):
                self._changed.notify_all()

    def holes(self) -> list[Hole]:
        """Return what was dropped and has not been announced yet, oldest first."""
        with self._changed:
            return self._backlog.holes

    def announced(self, hole: Hole) -> None:
        """Forget a hole, or the part of it that this one covers: it may have grown since."""
        with self._changed:
            if self._backlog.announced(hole):
                self._changed.notify_all()

    def relocate(self, path: Path, limits: Limits) -> None:
        """Keep to other limits, and in another file from now on; what waits moves there."""
        with self._changed:
            self._path, self._limits, self._moved = path, limits, True
            self._retry_at_s = 0.0
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was appended is committed; return whether it is, within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._in_flight, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Commit what there is and let go of the file, within `timeout_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            memory = self._backlog.memory
            lost = len(self._queue) + len(self._in_flight) + (memory.depth if memory else 0)
        if lost or self._thread.is_alive():
            _log.error("outbox_closed_early", events_not_stored=lost, problem=self._problem)

    # For the writer's thread

    @property
    def path(self) -> Path:
        """Where the store should be."""
        return self._path

    @property
    def limits(self) -> Limits:
        """What may wait."""
        return self._limits

    @property
    def in_memory(self) -> bool:
        """Whether events wait in memory for now."""
        return self._backlog.memory is not None

    @property
    def retry_due(self) -> bool:
        """Whether it is time to try the disk again."""
        return self._closing or self._clock() >= self._retry_at_s

    def wait_for_work(self, *, readable: bool) -> bool:
        """Wait until there is something to do; False: it is time to end. `readable`: there is a store."""
        with self._changed:
            while not self._closing and (idle_s := self._idle_s(readable)) > 0.0:
                self._changed.wait(None if idle_s == float("inf") else idle_s)
            self._moved = False
            return not self._closing or (not self.in_memory and bool(self._queue))

    def work(self) -> Work:
        """Return what is to be written, and count it as under way."""
        with self._changed:
            count = min(len(self._queue), _BATCH_MOST)
            self._in_flight = [self._queue.popleft() for _ in range(count)]
            drafts = [draft for _, draft in self._in_flight]
            return Work(
                self._generation, drafts, self._backlog.take_unsaved(), trim=self._expires_in_s() <= 0.0
            )

    def failed(self, work: Work) -> None:
        """Take back what could not be written, but for the events: `fall_back` has them."""
        with self._changed:
            self._backlog.give_back(work.unsaved)

    def committed(self, work: Work, written: Written, facts: StoreFacts) -> None:
        """Hand on what is on disk now, unless the disk took so long that it was left meanwhile."""
        with self._changed:
            if work.generation == self._generation:
                self._in_flight = []
                self._backlog.written(written, facts)
                self._confirm(written, facts)

    def want(self) -> tuple[int, int]:
        """Return after which position to read, and how many rows."""
        with self._changed:
            return self._backlog.shelf.end, self._backlog.shelf.wants

    def read(self, rows: Iterable[Row], *, all_of_them: bool) -> None:
        """Put rows that were read from the disk where they can be delivered from."""
        with self._changed:
            self._backlog.read(rows, all_of_them=all_of_them)
        self._wake()

    def found(self, facts: StoreFacts | None) -> None:
        """Deliver what can be read of a store that cannot be written; None: what has been read."""
        with self._changed:
            self._backlog.found(facts)

    def begin_arrival(self, facts: StoreFacts) -> Arrival:
        """Return what must be written to a store for it to take over; what comes meanwhile waits."""
        with self._changed:
            if self._confirmed is None:
                self._confirmed = facts.epoch, facts.next_seq
            carried, unsaved = self._backlog.to_carry(
                facts.next_position, list(self._open.values()), self._confirmed
            )
            return Arrival(self._generation, carried, unsaved, from_memory=self.in_memory)

    def arrived(self, arrival: Arrival, written: Written, facts: StoreFacts) -> bool:
        """Go on with the store; False: it took so long that it was left meanwhile."""
        with self._changed:
            if arrival.generation != self._generation:
                return False
            before, self._problem = self._problem, None
            self._backlog.arrived(arrival.unsaved, facts)
            self._confirm(written, facts)
        if before is not None:
            _log.warning("outbox_on_disk_again", was=before, epoch=facts.epoch, events_waiting=facts.depth)
        return True

    def count_dead_letters(self, count: int) -> None:
        """Count those that earlier processes have put aside."""
        with self._changed:
            self._backlog.count_dead_letters(count)

    def fall_back(self, error: StoreError) -> None:
        """Go on in memory."""
        with self._changed:
            self._fall_back(error)

    # With the lock held

    def _confirm(self, written: Written, facts: StoreFacts) -> None:
        self._epoch, self._confirmed = facts.epoch, (facts.epoch, facts.next_seq)
        self._hand_on(written.events)
        self._changed.notify_all()

    def _hand_on(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.type == "end":
                self._open.pop(event.id, None)
            else:
                self._open[event.id] = event
            if self._listener is None:
                self._unheard.append(event)
            else:
                self._listener(event)

    def _watch(self) -> None:
        """Leave a disk that does not answer."""
        if self.in_memory and not self._backlog.moving:
            return
        oldest_s = next((since_s for since_s, _ in chain(self._in_flight, self._queue)), None)
        late = oldest_s is not None and self._clock() - oldest_s > self._stall_s
        if late or len(self._queue) > _QUEUE_MOST:
            self._fall_back(_stalled(self._path))

    def _fall_back(self, error: StoreError) -> None:
        """Go on in memory, with what the disk has not confirmed, under a new epoch."""
        now_s = self._clock()
        if not self.in_memory and now_s - self._left_disk_s > _GOOD_S:
            self._attempts = 0
        memory = self._backlog.leave_disk(self._limits)
        self._generation += 1
        self._epoch, self._left_disk_s, self._problem = memory.epoch, now_s, error.problem
        pause_s = min(_LONGEST_RETRY_S, self._first_retry_s * 2.0 ** min(self._attempts, 20))
        self._retry_at_s, self._attempts = now_s + pause_s, self._attempts + 1
        drafts = [draft for _, draft in chain(self._in_flight, self._queue)]
        self._in_flight = []
        self._queue.clear()
        self._hand_on(memory.append(draft) for draft in drafts)
        self._changed.notify_all()
        if (held := self._quiet.due(error.problem)) is not None:
            _log.error(
                "outbox_in_memory",
                problem=str(error),
                epoch=self._epoch,
                tried_again_in_s=round(pause_s),
                not_shown=held,
            )

    def _idle_s(self, readable: bool) -> float:
        """Return for how long there is nothing to do, s."""
        backlog = self._backlog
        if self._moved or (readable and backlog.shelf.wants):
            return 0.0
        if backlog.memory is not None:
            return max(0.0, self._retry_at_s - self._clock())
        return 0.0 if self._queue else max(0.0, min(backlog.save_in_s, self._expires_in_s()))

    def _expires_in_s(self) -> float:
        oldest = self._backlog.shelf.oldest
        return float("inf") if oldest is None else oldest.committed_s + self._limits.age_s - self._clock()


def _stalled(path: Path) -> StoreError:
    return StoreError("it does not answer", where=str(path), hint="The disk is overloaded, or failing.")


def _nothing() -> None:
    """Nobody waits."""
