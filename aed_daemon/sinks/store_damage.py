"""A damaged outbox file: set aside under a clear name, and what can be read of it saved."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.store_errors import fault
from aed_daemon.sinks.store_rows import Carried, Refusal, Row

_log = structlog.get_logger(__name__)

SET_ASIDE_KEPT = 3
"""Damaged files that are kept; older ones are deleted, and the log says so."""


def set_aside(path: Path, utc_s: float) -> Path:
    """Rename a damaged file and its log; return its new name.

    Raises
    ------
    StoreError
        Its folder cannot be written.
    """
    stamp = datetime.fromtimestamp(utc_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        aside, number = path.with_name(f"{path.name}.damaged-{stamp}-{number}"), number + 1
    try:
        for suffix in ("-wal", ""):  # the log first: beside a new file it would be taken for its own
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
        earlier = [
            file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith("-wal")
        ]
        for old in sorted(earlier)[:-SET_ASIDE_KEPT]:
            old.with_name(f"{old.name}-wal").unlink(missing_ok=True)
            old.unlink()
            _log.warning("outbox_damaged_file_deleted", file=str(old), newer_ones_kept=SET_ASIDE_KEPT)
    except OSError as error:
        raise fault(error, path) from error
    return aside


def salvage(path: Path, now_s: float) -> Carried:
    """Return what can be read of a damaged file: rows from both ends, as far as they go.

    Parameters
    ----------
    path : Path
        The file.
    now_s : float
        This process's monotonic clock, s: ages are counted up to the file's last commit.
    """
    rows: dict[int, Row] = {}
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=0)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        counter = next(_read(db, "SELECT at_s, 0 FROM counter"), None)
        select = "SELECT position, epoch, seq, committed_s, process, payload FROM waiting ORDER BY position"
        for order in ("ASC", "DESC"):
            for row in _read(db, f"{select} {order}"):
                if _sound(row):
                    age_s = max(0.0, counter[0] - row[3]) if counter else 0.0
                    rows[row[0]] = Row(row[0], row[1], row[2], now_s - age_s, row[4], row[5])
        return Carried(
            rows=[rows[position] for position in sorted(rows)],
            holes=[
                Hole(*row)
                for row in _read(db, "SELECT epoch, first_seq, last_seq, reason FROM hole ORDER BY rowid")
                if _is_epoch(row[0]) and isinstance(row[1], int) and isinstance(row[2], int)
            ],
            refusals=[
                Refusal(str(row[0]), float(row[1]), str(row[2]))
                for row in _read(db, "SELECT reason, refused_ts, payload FROM dead_letter ORDER BY rowid")
                if isinstance(row[1], float)
            ],
            open_sounds=[
                event
                for row in _read(db, "SELECT payload, rate_hz FROM open_sound ORDER BY rowid")
                if (event := _event(row[0])) is not None
            ],
        )
    return Carried()


def _read(db: sqlite3.Connection, select: str) -> Iterator[tuple[Any, ...]]:
    with contextlib.suppress(sqlite3.Error):
        yield from db.execute(select)


def _is_epoch(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{8}", value) is not None


def _event(payload: object) -> Event | None:
    try:
        return Event.model_validate_json(payload) if isinstance(payload, str) else None
    except ValidationError:
        return None


def _sound(row: tuple[Any, ...]) -> bool:
    event = _event(row[5])
    whole = isinstance(row[0], int) and isinstance(row[3], float) and isinstance(row[4], int)
    return whole and event is not None and (event.epoch, event.seq) == (row[1], row[2])
