"""Archive: reading a history and labelling what is in it; from any thread or process."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from aed_daemon.events import new_ulid
from aed_daemon.history.errors import HistoryError, fault
from aed_daemon.history.file import open_existing, open_to_read
from aed_daemon.history.rows import (
    COLUMNS,
    KINDS,
    LABELS,
    MAX_LIMIT,
    Hour,
    Label,
    Page,
    Query,
    Sound,
    cursor_after,
    position_of,
    unpacked,
)

_SELECT = f"SELECT {', '.join(f'sound.{name}' for name in COLUMNS)}, label.verdict FROM sound"  # noqa: S608
_JOIN = " LEFT JOIN label ON label.sound = sound.id"
_HOUR_FIELDS = tuple(field.name for field in fields(Hour))
_HOURS = f"SELECT {', '.join(name.rstrip('_') for name in _HOUR_FIELDS)} FROM hour"  # noqa: S608
_BOOLS = tuple(COLUMNS.index(name) for name in ("clipped", "gap_before", "clock_synced"))
_ID_LENGTH = 26


class Archive:
    """A history in a file, while a daemon writes to it and while none does.

    Every call opens the file, takes what is there at one moment, and lets go of it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    HistoryError
        From every method: there is no history, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def sounds(self, query: Query) -> Page:
        """Return what a query asks for, the newest onset first."""
        if not 1 <= query.limit <= MAX_LIMIT:
            raise HistoryError("limit out of range", expected=f"1 to {MAX_LIMIT}", got=str(query.limit))
        where, values = _conditions(query)
        with self._reading() as db:
            rows = db.execute(
                f"{_SELECT}{_JOIN} WHERE {where} ORDER BY sound.id DESC LIMIT ?",
                (*values, query.limit + 1),
            ).fetchall()
        found = tuple(map(_sound, rows[: query.limit]))
        return Page(found, cursor_after(found[-1].id) if len(rows) > query.limit else None)

    def every(self, query: Query) -> Iterator[Sound]:
        """Yield everything that a query asks for, page by page."""
        while True:
            page = self.sounds(query)
            yield from page.sounds
            if page.next is None:
                return
            query = replace(query, cursor=page.next)

    def find(self, part: str) -> Sound:
        """Return the sound with an id, of which the end is enough where no other ends so."""
        wanted = part.strip().upper()
        if len(wanted) < 4 or not wanted.isalnum():
            raise HistoryError("no id of a sound", expected="4 of its characters or more", got=repr(part))
        with self._reading() as db:
            rows = db.execute(
                f"{_SELECT}{_JOIN} WHERE sound.id LIKE ? ORDER BY sound.id DESC LIMIT 2", (f"%{wanted}",)
            ).fetchall()
        if len(rows) != 1:
            several = "several sounds have an id that ends so" if rows else "there is no such sound"
            raise HistoryError(several, where=part, hint="`aed-daemon events --kind all` shows the ids.")
        return _sound(rows[0])

    def hours(
        self,
        since_ts: float | None = None,
        until_ts: float | None = None,
        classes: Sequence[str] = (),
        sources: Sequence[str] = (),
    ) -> list[Hour]:
        """Return the hours that begin within a time, oldest first; empty sequences limit nothing."""
        parts = [
            _bound("hour_ts + 3600 > ?", since_ts),
            _bound("hour_ts < ?", until_ts),
            _among("class", classes),
            _among("source", sources),
        ]
        where, values = _joined(parts)
        with self._reading() as db:
            rows = db.execute(f"{_HOURS} WHERE {where} ORDER BY hour_ts, source, class", values).fetchall()
        try:
            return [_hour(dict(zip(_HOUR_FIELDS, row, strict=True))) for row in rows]
        except ValueError as error:
            raise HistoryError(f"damaged ({error})", where=str(self.path), damaged=True) from None

    def classes(self) -> list[str]:
        """Return the classes that were listened for, sorted."""
        with self._reading() as db:
            return [row[0] for row in db.execute("SELECT DISTINCT class FROM hour ORDER BY class")]

    def label(self, sound_id: str, verdict: Label | None) -> None:
        """Say of a sound that it was right or wrong; None takes back what was said.

        Raises
        ------
        HistoryError
            There is no such sound, or it is one that was missed.
        """
        if verdict not in ("right", "wrong", None):
            raise HistoryError("no label", expected="right or wrong", got=str(verdict))
        with self._writing() as db:
            found = db.execute("SELECT kind FROM sound WHERE id = ?", (sound_id,)).fetchone()
            if found is None:
                raise HistoryError("there is no such sound", where=sound_id)
            if found[0] == "missed":
                if verdict is not None:
                    raise HistoryError("it was missed, and is neither right nor wrong", where=sound_id)
                db.execute("DELETE FROM sound WHERE id = ?", (sound_id,))
            elif verdict is None:
                db.execute("DELETE FROM label WHERE sound = ?", (sound_id,))
            else:
                db.execute("INSERT OR REPLACE INTO label VALUES (?, ?, ?)", (sound_id, verdict, time.time()))

    def missed(self, class_: str, at_ts: float, *, source: str | None = None, node: str = "") -> str:
        """Note that a class sounded and was not reported; return the id of the note."""
        if at_ts < 0:
            raise HistoryError("before 1970", got=str(at_ts))
        sound_id = new_ulid(at_ts)
        with self._writing() as db:
            db.execute(
                "INSERT INTO sound (id, kind, node, source, class, start_ts)"
                " VALUES (?, 'missed', ?, ?, ?, ?)",
                (sound_id, node, source, class_, at_ts),
            )
            db.execute("INSERT INTO label VALUES (?, 'missed', ?)", (sound_id, time.time()))
        return sound_id

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(open_to_read(self.path)) as db:
                yield db
        except sqlite3.Error as error:
            raise fault(error, self.path) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(open_existing(self.path)) as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise fault(error, self.path) from error


_Condition = tuple[str, tuple[object, ...]]


def _conditions(query: Query) -> _Condition:
    _known("kind", query.kinds, KINDS)
    _known("label", query.labels, (*LABELS, "none"))
    position = None if query.cursor is None else position_of(query.cursor)
    return _joined(
        [
            _among("sound.kind", query.kinds),
            # Ids begin with the millisecond of the onset: the order is theirs, and so are the bounds.
            _bound("sound.start_ts >= ?", query.since_ts),
            _bound("sound.start_ts < ?", query.until_ts),
            _bound("sound.id >= ?", None if query.since_ts is None else _first_id(query.since_ts)),
            _bound("sound.id < ?", position),
            _bound("sound.score_max >= ?", query.min_score),
            _among("sound.class", query.classes),
            _among("sound.source", query.sources),
            _among("coalesce(label.verdict, 'none')", query.labels),
        ]
    )


def _first_id(ts: float) -> str:
    return new_ulid(max(0.0, ts - 0.001))[:10]


def _known(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise HistoryError(f"unknown {what}", expected=", ".join(known), got=repr(value))


def _bound(text: str, value: object) -> _Condition:
    return ("", ()) if value is None else (text, (value,))


def _among(column: str, values: Sequence[str]) -> _Condition:
    marks = ", ".join("?" * len(values))
    return (f"{column} IN ({marks})", tuple(values)) if values else ("", ())


def _joined(parts: Sequence[_Condition]) -> _Condition:
    given = [part for part in parts if part[0]]
    return " AND ".join(text for text, _ in given) or "1", tuple(v for _, values in given for v in values)


def _hour(values: dict[str, Any]) -> Hour:
    counts = {name: unpacked(values[name]) for name in ("scores", "strengths")}
    return Hour(**{**values, **counts})


def _sound(row: Sequence[object]) -> Sound:
    values: list[object] = list(row)
    for position in _BOOLS:
        values[position] = None if values[position] is None else bool(values[position])
    return Sound(*values)  # type: ignore[arg-type]
