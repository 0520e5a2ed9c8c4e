"""Ledger: what is written into a history's file, each batch in one transaction; used from one thread."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aed_daemon.events import Event
from aed_daemon.history.errors import fault
from aed_daemon.history.rows import COLUMNS, Hour, Sound, packed, unpacked
from aed_daemon.history.tally import Strength

_UPSERT = (
    f"INSERT INTO sound ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}"
        for name in COLUMNS
        if name not in ("id", "kind", "start_ts", "start_sample", "clip", "strength")
    )
    + ", clip = coalesce(excluded.clip, clip), strength = coalesce(excluded.strength, strength)"
)

_HOUR_KEY = "hour_ts = ? AND source = ? AND class = ? AND model_sha256 = ? AND engine = ? AND rule = ?"
_DEFECTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""Errors that lie in a row, not in the file: trying once more does not help."""

_STRENGTHS_KEPT = 1_024
_TRIM_SHARE = 0.05
"""Of the sounds and hours, deleted at once where the file has grown too large."""


@dataclass
class Batch:
    """What waits to be written."""

    events: list[Event] = field(default_factory=list)
    near_misses: list[Sound] = field(default_factory=list)
    strengths: list[Strength] = field(default_factory=list)
    hours: list[Hour] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.events) + len(self.near_misses) + len(self.strengths) + len(self.hours)


class Ledger:
    """The tables, and the transactions on them.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of `open_file`.
    path : Path
        The file, for errors.

    Raises
    ------
    HistoryError
        From every method: the file cannot be written. Nothing has changed then.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = connection, path
        # An event may be written before its strength is known, or after.
        self._strengths: OrderedDict[tuple[str, str, int], float] = OrderedDict()

    def begin(self, node: str) -> None:
        """Say of the sounds that an earlier process left open that their ends are not known."""
        self._transact(
            lambda: self._db.execute(
                "UPDATE sound SET reason = 'interrupted'"
                " WHERE kind = 'event' AND end_ts IS NULL AND reason IS NULL AND node = ?",
                (node,),
            )
        )

    def write(self, batch: Batch) -> None:
        """Write a batch, all or nothing."""
        self._transact(lambda: self._write(batch))

    def trim(self, oldest_ts: float, max_bytes: int) -> int:
        """Delete what is older, and the oldest where the file is larger; return how many sounds went."""
        gone = self._delete(oldest_ts)
        with self._reported():
            while self._bytes() > max_bytes and (cut_ts := self._old_end()) is not None:
                gone += self._delete(cut_ts)
        return gone

    def close(self) -> None:
        """Move everything into the main file and let go of it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _transact(self, work: Callable[[], object]) -> None:
        with self._reported():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                work()
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except _DEFECTS:
            raise
        except (sqlite3.Error, OSError) as error:
            raise fault(error, self._path) from error

    def _write(self, batch: Batch) -> None:
        for strength in batch.strengths:
            self._note_strength(strength)
        for event in batch.events:
            self._db.execute(_UPSERT, self._values(event))
        for sound in batch.near_misses:
            values = [getattr(sound, "class_" if name == "class" else name) for name in COLUMNS]
            self._db.execute(_UPSERT, values)
        for hour in batch.hours:
            self._add(hour)

    def _note_strength(self, found: Strength) -> None:
        key = (found.source, found.class_, found.start_sample)
        self._strengths[key] = found.strength
        while len(self._strengths) > _STRENGTHS_KEPT:
            self._strengths.popitem(last=False)
        # Sample indices begin anew with every start: the newest one is meant.
        self._db.execute(
            "UPDATE sound SET strength = ? WHERE strength IS NULL AND id = (SELECT id FROM sound"
            " WHERE class = ? AND source = ? AND start_sample = ? AND kind = 'event'"
            " ORDER BY id DESC LIMIT 1)",
            (found.strength, found.class_, found.source, found.start_sample),
        )

    def _values(self, event: Event) -> Sequence[object]:
        key = (event.source, event.class_, event.start_sample)
        ended = event.duration_s is not None
        strength = self._strengths.pop(key, None) if ended else self._strengths.get(key)
        values = {
            **event.model_dump(include=set(COLUMNS)),
            **event.level.model_dump(include=set(COLUMNS)),
            "class": event.class_,
            "kind": "event",
            "end_ts": None if event.duration_s is None else round(event.start_ts + event.duration_s, 3),
            "strength": strength,
            "model_name": event.model.name,
            "model_sha256": event.model.sha256,
        }
        return [values[name] for name in COLUMNS]

    def _add(self, hour: Hour) -> None:
        key = (hour.hour_ts, hour.source, hour.class_, hour.model_sha256, hour.engine, hour.rule)
        found = self._db.execute(
            f"SELECT heard_s, hops, scores, strengths FROM hour WHERE {_HOUR_KEY}",  # noqa: S608
            key,
        ).fetchone()
        heard_s, hops, scores, strengths = hour.heard_s, hour.hops, hour.scores, hour.strengths
        if found is not None:
            # What cannot be read any more is replaced.
            with contextlib.suppress(ValueError):
                before = unpacked(found[2]), unpacked(found[3])
                scores, strengths = scores + before[0], strengths + before[1]
                heard_s, hops = heard_s + found[0], hops + found[1]
        self._db.execute(
            "INSERT OR REPLACE INTO hour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, hour.on_steps, hour.scale, heard_s, hops, packed(scores), packed(strengths)),
        )

    def _delete(self, before_ts: float) -> int:
        """Delete what is older, labels with their sounds, and give the room back."""
        gone: list[int] = []

        def work() -> None:
            gone.append(self._db.execute("DELETE FROM sound WHERE start_ts < ?", (before_ts,)).rowcount)
            self._db.execute("DELETE FROM hour WHERE hour_ts < ?", (before_ts,))

        self._transact(work)
        with self._reported():
            # As a script: it makes a step for each page, and `execute` only the first.
            self._db.executescript("PRAGMA incremental_vacuum")
        return sum(gone)

    def _bytes(self) -> int:
        pages, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size")
        )
        return pages * size

    def _old_end(self) -> float | None:
        """Return the time before which the oldest part of the rows lies; None: there are hardly any."""
        ends = []
        for table, column in (("sound", "start_ts"), ("hour", "hour_ts")):
            count = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            if count:
                found = self._db.execute(
                    f"SELECT {column} FROM {table} ORDER BY {column} LIMIT 1 OFFSET ?",  # noqa: S608
                    (min(count - 1, max(1, int(count * _TRIM_SHARE))),),
                ).fetchone()
                ends.append(float(found[0]) + 0.001)
        return min(ends) if ends else None
