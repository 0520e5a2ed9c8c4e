"""Writer: the thread that has an outbox's file: writes, reads ahead, leaves a bad disk and comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from aed_daemon.sinks.interrupted import interrupted_end
from aed_daemon.sinks.store import Store, is_event
from aed_daemon.sinks.store_errors import StoreError
from aed_daemon.sinks.store_file import Opener, remove

if TYPE_CHECKING:
    from aed_daemon.events import Event
    from aed_daemon.sinks.disk_outbox import DiskOutbox

_log = structlog.get_logger(__name__)


class Writer:
    """Does an outbox's work on the disk; everything but `run` is called on its thread alone.

    Parameters
    ----------
    outbox : DiskOutbox
        What is to be written, and who is told.
    opener : Opener
        Opens stores.
    """

    def __init__(self, outbox: DiskOutbox, opener: Opener) -> None:
        self._outbox, self._opener = outbox, opener
        self._store: Store | None = None
        self._copy_of: Path | None = None  # it can be read only, for a file that cannot be written
        self._suspect = False  # to be opened anew before it is written again
        self._damaged: tuple[Path, str] | None = None
        # What had not ended when this process came to a file, by file
        self._left_open: dict[Path, list[tuple[Event, int]]] = {}

    def run(self) -> None:
        """Work until the outbox is closed."""
        self._attempt(self._begin)
        while self._outbox.wait_for_work(readable=self._store is not None):
            self._attempt(self._turn)
        self._attempt(self._end)
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.close()

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreError as error:
            self._suspect |= not error.full
            if error.corrupt and self._store is not None:
                self._damaged = (self._store.path, error.problem)
            self._outbox.fall_back(error)
        except Exception as error:  # a defect must not end the keeping of events for good
            _log.exception("outbox_failed_unexpectedly")
            self._suspect = True
            self._outbox.fall_back(StoreError(f"unexpected: {error!r}", where=str(self._outbox.path)))

    def _begin(self) -> None:
        self._take_over(self._reach())

    def _turn(self) -> None:
        if self._outbox.in_memory:
            self._read_ahead_if_possible()
            if self._outbox.retry_due:
                self._take_over(self._reach())
        elif self._store is not None and self._store.path != self._outbox.path:
            self._move()
        else:
            self._write()
        if not self._outbox.in_memory:
            self._read_ahead()

    def _end(self) -> None:
        if self._outbox.in_memory:
            self._take_over(self._reach())
        self._write()

    # Writing and reading

    def _write(self) -> None:
        if self._store is None:
            return
        self._store.limits = self._outbox.limits
        work = self._outbox.work()
        if work.empty:
            return
        try:
            written = self._store.write(work.drafts, work.unsaved.settled, work.unsaved.announced)
            facts = self._store.facts()
        except BaseException:
            self._outbox.failed(work)
            raise
        self._outbox.committed(work, written, facts)

    def _read_ahead(self) -> None:
        after, count = self._outbox.want()
        if self._store is None or not count:
            return
        rows = list(self._store.rows(after, count))
        self._outbox.read(rows, all_of_them=len(rows) < count)
        for row in rows:
            if not is_event(row.payload):  # of a later version of the daemon
                self._outbox.dead_letter(row.position, "not a valid event")

    def _read_ahead_if_possible(self) -> None:
        """Deliver what is on a disk that cannot be written, as far as it can be read."""
        try:
            self._read_ahead()
        except StoreError as error:
            _log.error("outbox_unreadable", problem=str(error))
            self._suspect = True
            self._let_go()
            self._outbox.found(None)

    # Coming to a store

    def _reach(self) -> Store:
        """Return a store where it should be, open."""
        path, limits = self._outbox.path, self._outbox.limits
        store = self._store
        if store is not None and store.path == path:
            if not self._suspect:
                return store
            self._let_go()
        try:
            if self._damaged is not None and self._damaged[0] == path:
                store = self._opener.replace(path, limits, self._damaged[1])
            else:
                store = self._opener.open(path, limits)
        except StoreError as error:
            if self._store is None:
                self._read_copy(path, error)
            raise
        self._damaged, self._suspect = None, False
        return store

    def _read_copy(self, path: Path, error: StoreError) -> None:
        if error.in_use or error.corrupt:  # its owner delivers what is in there; or nobody can
            self._outbox.found(None)
            return
        self._store = self._opener.copy(path, self._outbox.limits)
        self._copy_of = path if self._store is not None else None
        self._outbox.found(self._store.facts() if self._store else None)

    def _take_over(self, store: Store) -> None:
        """Go on with a store, with everything that waits in memory or in the store before it."""
        own = self._store is store or self._copy_of == store.path
        before = None if own else self._store
        try:
            there = self._carry_over(store, before)
        except BaseException:
            if store is not self._store:
                with contextlib.suppress(StoreError):
                    store.close()
            raise
        if self._store is not store:
            moved = before is not None and self._copy_of is None and there
            self._let_go()
            if before is not None and moved:
                remove(before.path)
                _log.info("outbox_moved", before=str(before.path), now=str(store.path))
        self._store = store

    def _carry_over(self, store: Store, before: Store | None) -> bool:
        left = self._left_open.get(store.path)
        if left is None:
            left = self._left_open[store.path] = store.open_sounds()
            self._outbox.count_dead_letters(len(store.refusals()))
        arrival = self._outbox.begin_arrival(store.facts())
        carried = None
        if arrival.from_memory or before is not None:
            sounds = [event for event, _ in left]
            carried = replace(arrival.carried, open_sounds=[*sounds, *(arrival.carried.open_sounds or ())])
        if carried and before is not None:
            carried = replace(
                carried,
                rows=chain(before.rows(), carried.rows),
                holes=[*before.holes(), *carried.holes],
                refusals=[*before.refusals(), *carried.refusals],
            )
        now_ts = self._opener.utc()
        ends = [interrupted_end(event, rate_hz, now_ts) for event, rate_hz in left]
        written = store.write(ends, arrival.unsaved.settled, arrival.unsaved.announced, carried)
        there = self._outbox.arrived(arrival, written, store.facts())
        if there:
            self._left_open[store.path] = []
        return there

    def _move(self) -> None:
        """Go on in another file; where that is not possible, in this one."""
        try:
            store = self._reach()
        except StoreError as error:
            _log.error("outbox_not_moved", problem=str(error), stays=str(self._store and self._store.path))
            if self._store is not None:
                self._outbox.relocate(self._store.path, self._outbox.limits)
            return
        self._write()
        self._take_over(store)

    def _let_go(self) -> None:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.close()
        self._store, self._copy_of = None, None
