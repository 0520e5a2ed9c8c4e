"""Store: an outbox's tables in one SQLite file. Every change is one transaction; used from one thread."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.store_errors import fault
from aed_daemon.sinks.store_rows import DEAD_LETTERS_KEPT, Carried, Limits, Refusal, Row, StoreFacts, Written

_TRIM_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class _Tally:
    epoch: str
    next_seq: int
    next_position: int
    depth: int
    payload_bytes: int


class Store:
    """The tables, and the transactions on them.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of a file with `SCHEMA`, in autocommit mode.
    path : Path
        The file, for errors.
    limits : Limits
        What may wait.
    process : int
        Stands for this process in what it stores.
    rate_hz : int
        The model's sample rate.
    clock, utc : callable
        Monotonic seconds, and seconds since 1970.

    Raises
    ------
    StoreError
        From every method: the file cannot be read or written. Nothing has changed then.

    Notes
    -----
    Ages are counted on a clock of the store's own, which only goes forward: the system's monotonic
    one, and between two processes the time of day, where it was synchronised. So a clock that jumps
    from 1970 to today makes no event old.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        limits: Limits,
        *,
        process: int,
        rate_hz: int,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._db, self.path, self.limits = connection, path, limits
        self._process, self._rate_hz = process, rate_hz
        self._clock, self._utc = clock, utc
        with self._reported():
            counter = self._db.execute(
                "SELECT epoch, next_seq, next_position, at_s, at_ts, clock_synced FROM counter"
            ).fetchone()
            if counter is None:
                counter = self._begin()
            depth, size = self._db.execute(
                "SELECT count(*), coalesce(sum(length(CAST(payload AS BLOB))), 0) FROM waiting"
            ).fetchone()
        epoch, next_seq, next_position, at_s, at_ts, synced = counter
        self._tally = _Tally(epoch, next_seq, next_position, depth, size)
        away_s = max(0.0, utc() - at_ts) if synced else 0.0
        self._ahead_s = at_s + away_s - clock()  # the store's clock less this process's

    # Reading

    @property
    def depth(self) -> int:
        """How many events wait."""
        return self._tally.depth

    @property
    def epoch(self) -> str:
        """The epoch of the next event."""
        return self._tally.epoch

    @property
    def next_position(self) -> int:
        """Above every position in the store."""
        return self._tally.next_position

    def facts(self) -> StoreFacts:
        """Return what the last transaction has left."""
        tally = self._tally
        return StoreFacts(tally.epoch, tally.next_seq, tally.next_position, tally.depth, self.holes())

    def rows(self, after: int = -1, limit: int = -1) -> Iterator[Row]:
        """Yield what waits after a position, in order; at most `limit`, -1: all."""
        select = "SELECT position, epoch, seq, committed_s, process, payload FROM waiting WHERE position > ?"
        with self._reported():
            for row in self._db.execute(f"{select} ORDER BY position LIMIT ?", (after, limit)):
                yield Row(row[0], row[1], row[2], row[3] - self._ahead_s, row[4], row[5])

    def holes(self) -> list[Hole]:
        """Return what was dropped and is not announced yet, oldest first."""
        with self._reported():
            found = self._db.execute("SELECT epoch, first_seq, last_seq, reason FROM hole ORDER BY rowid")
            return [Hole(*row) for row in found]

    def refusals(self) -> list[Refusal]:
        """Return the dead letters, oldest first."""
        with self._reported():
            found = self._db.execute("SELECT reason, refused_ts, payload FROM dead_letter ORDER BY rowid")
            return [Refusal(*row) for row in found]

    def open_sounds(self) -> list[tuple[Event, int]]:
        """Return the last event of what has started and not ended, with the model's rate then, Hz."""
        with self._reported():
            found = self._db.execute("SELECT payload, rate_hz FROM open_sound ORDER BY rowid").fetchall()
        sounds = []
        for payload, rate_hz in found:
            with contextlib.suppress(ValidationError):  # of another version: nobody can end it
                sounds.append((Event.model_validate_json(payload), rate_hz))
        return sounds

    # Writing

    def write(
        self,
        drafts: Sequence[Event] = (),
        settled: Mapping[int, str | None] | None = None,
        announced: Sequence[Hole] = (),
        carried: Carried | None = None,
    ) -> Written:
        """Take in what is carried, let go of what is settled, number and store drafts; all or nothing.

        Parameters
        ----------
        drafts : sequence of Event
            To be numbered, in order.
        settled : mapping of int to str or None
            By position: None for what was delivered, the reason for what the broker refused.
        announced : sequence of Hole
            What subscribers know of.
        carried : Carried, optional
            What comes from elsewhere.
        """
        before, dropped = self._tally, set[int]()
        try:
            with self._reported():
                self._db.execute("BEGIN IMMEDIATE")
                if carried:
                    self._take_in(carried)
                for position, reason in (settled or {}).items():
                    self._settle(position, reason)
                for hole in announced:
                    self._forget(hole)
                events, rows, invalid = self._number(drafts)
                self._trim(dropped)
                self._save(drafts)
                self._db.execute("COMMIT")
        except BaseException:
            self._tally = before
            with contextlib.suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            raise
        return Written(events, rows, frozenset(dropped), invalid)

    def close(self) -> None:
        """Move everything into the main file and let go of it."""
        with self._reported():
            self._db.close()

    def _begin(self) -> tuple[str, int, int, float, float, int]:
        # Positions of two stores never meet, so that events can be carried from one to another.
        counter = (os.urandom(4).hex(), 0, new_position(self._utc()), 0.0, self._utc(), 0)
        self._db.execute("INSERT INTO counter VALUES (1, ?, ?, ?, ?, ?, ?)", counter)
        return counter

    def _settle(self, position: int, reason: str | None) -> None:
        found = self._db.execute("SELECT payload FROM waiting WHERE position = ?", (position,)).fetchone()
        if found is None:
            return
        self._remove(position, found[0])
        if reason is not None:
            self._put_aside(Refusal(reason, self._utc(), found[0]))

    def _remove(self, position: int, payload: str) -> None:
        self._db.execute("DELETE FROM waiting WHERE position = ?", (position,))
        tally = self._tally
        size = tally.payload_bytes - len(payload.encode())
        self._tally = replace(tally, depth=tally.depth - 1, payload_bytes=size)

    def _put_aside(self, refusal: Refusal) -> None:
        self._db.execute(
            "INSERT INTO dead_letter VALUES (?, ?, ?)", (refusal.reason, refusal.refused_ts, refusal.payload)
        )
        self._db.execute(
            "DELETE FROM dead_letter WHERE rowid <= (SELECT max(rowid) FROM dead_letter) - ?",
            (DEAD_LETTERS_KEPT,),
        )

    def _forget(self, hole: Hole) -> None:
        known = (hole.epoch, hole.first_seq, hole.last_seq)
        self._db.execute("DELETE FROM hole WHERE epoch = ? AND first_seq >= ? AND last_seq <= ?", known)
        self._db.execute(
            "UPDATE hole SET first_seq = ?3 + 1 WHERE epoch = ?1 AND first_seq BETWEEN ?2 AND ?3", known
        )

    def _take_in(self, carried: Carried) -> None:
        for where, values in (
            ("epoch = ?", (carried.replaces,)),
            ("epoch = ? AND seq >= ?", carried.unconfirmed or (None, 0)),
        ):
            leftover = self._db.execute(f"SELECT position, payload FROM waiting WHERE {where}", values)  # noqa: S608
            for position, payload in leftover.fetchall():
                self._remove(position, payload)
        for row in carried.rows:
            if not self._has(row):
                self._store(row)
            self._tally = replace(self._tally, next_position=max(self._tally.next_position, row.position + 1))
        if carried.replaces is not None:
            self._db.execute("DELETE FROM hole WHERE epoch = ?", (carried.replaces,))
        for hole in carried.holes:
            known = (hole.epoch, hole.first_seq, hole.last_seq, hole.reason)
            self._db.execute("INSERT INTO hole VALUES (?, ?, ?, ?)", known)
        for refusal in carried.refusals:
            self._put_aside(refusal)
        if carried.open_sounds is not None:
            self._db.execute("DELETE FROM open_sound")
            for event in carried.open_sounds:
                self._note(event, event.to_json())
        self._tally = replace(self._tally, epoch=os.urandom(4).hex(), next_seq=0)

    def _has(self, row: Row) -> bool:
        known = (row.position, row.epoch, row.seq)
        found = self._db.execute("SELECT 1 FROM waiting WHERE position = ? AND epoch = ? AND seq = ?", known)
        return found.fetchone() is not None

    def _store(self, row: Row) -> None:
        stored = (row.position, row.epoch, row.seq, row.committed_s + self._ahead_s, row.process, row.payload)
        self._db.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)", stored)
        size = self._tally.payload_bytes + len(row.payload.encode())
        self._tally = replace(self._tally, depth=self._tally.depth + 1, payload_bytes=size)

    def _number(self, drafts: Sequence[Event]) -> tuple[tuple[Event, ...], tuple[Row, ...], int]:
        events, rows, now_s = [], [], self._clock()
        for draft in drafts:
            tally = self._tally
            event = draft.model_copy(update={"epoch": tally.epoch, "seq": tally.next_seq})
            payload = event.to_json()
            self._tally = replace(tally, next_seq=tally.next_seq + 1, next_position=tally.next_position + 1)
            self._note(event, payload)
            events.append(event)
            if is_event(payload):
                row = Row(tally.next_position, event.epoch, event.seq, now_s, self._process, payload)
                self._store(row)
                rows.append(row)
            else:  # not a number, say: no subscriber could read it either
                self._put_aside(Refusal("not a valid event", self._utc(), payload))
        return tuple(events), tuple(rows), len(events) - len(rows)

    def _note(self, event: Event, payload: str) -> None:
        if event.type == "end":
            self._db.execute("DELETE FROM open_sound WHERE id = ?", (event.id,))
        else:
            self._db.execute(
                "INSERT INTO open_sound VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET payload = excluded.payload",
                (event.id, self._rate_hz, payload),
            )

    def _trim(self, dropped: set[int]) -> None:
        """Drop the oldest until the limits are kept, each as part of a hole."""
        limits, oldest_s = self.limits, self._clock() + self._ahead_s - self.limits.age_s
        select = "SELECT position, epoch, seq, committed_s, payload FROM waiting ORDER BY position LIMIT ?"
        at_once = 1
        while self._tally.depth:
            for position, epoch, seq, committed_s, payload in self._db.execute(select, (at_once,)).fetchall():
                tally = self._tally
                full = tally.depth > limits.events or tally.payload_bytes > limits.payload_bytes
                if not full and committed_s > oldest_s:
                    return
                self._remove(position, payload)
                self._drop(epoch, seq, "outbox_full" if full else "expired")
                dropped.add(position)
            at_once = _TRIM_AT_ONCE

    def _drop(self, epoch: str, seq: int, reason: str) -> None:
        grown = self._db.execute(
            "UPDATE hole SET last_seq = ?2 WHERE epoch = ?1 AND last_seq = ?2 - 1 AND reason = ?3",
            (epoch, seq, reason),
        )
        if not grown.rowcount:
            self._db.execute("INSERT INTO hole VALUES (?, ?, ?, ?)", (epoch, seq, seq, reason))

    def _save(self, drafts: Sequence[Event]) -> None:
        tally = self._tally
        values = (
            tally.epoch,
            tally.next_seq,
            tally.next_position,
            self._clock() + self._ahead_s,
            self._utc(),
        )
        self._db.execute(
            "UPDATE counter SET epoch = ?, next_seq = ?, next_position = ?, at_s = ?, at_ts = ?", values
        )
        if drafts:
            self._db.execute("UPDATE counter SET clock_synced = ?", (drafts[-1].clock_synced,))

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise fault(error, self.path) from error


def new_position(utc_s: float) -> int:
    """Return a position above every one that was given out before, in any store (to the millisecond)."""
    return int(utc_s * 1_000) << 20


def is_event(payload: str) -> bool:
    """Return whether a subscriber could read it."""
    try:
        Event.model_validate_json(payload)
    except ValidationError:
        return False
    return True
