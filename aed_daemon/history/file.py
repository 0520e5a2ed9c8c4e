"""Opening a history's file: made where there is none, brought up to date, set aside where it is damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import structlog

from aed_daemon.history.errors import HistoryError, fault
from aed_daemon.history.schema import APPLICATION_ID, MIGRATIONS, TABLES

_log = structlog.get_logger(__name__)

_BUSY_S = 5.0
_CHECKPOINT_PAGES = 256
_SET_ASIDE_KEPT = 3


def open_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Return a connection to write with, in autocommit mode; the tables are there and of this version.

    A damaged file is renamed, and a new one made. Another program's is left alone.

    Raises
    ------
    HistoryError
        It cannot be used now.
    """
    try:
        return _opened(path, migrations)
    except HistoryError as error:
        if not error.damaged:
            raise
        aside = set_aside(path)
        _log.error(
            "history_damaged",
            file=str(path),
            problem=error.what,
            set_aside=str(aside),
            hint="A new history begins. A failing disk or SD card, or a power cut on one that lies.",
        )
        return _opened(path, migrations)


def open_existing(path: Path) -> sqlite3.Connection:
    """Return a connection to a history that is there, to label its sounds.

    Raises
    ------
    HistoryError
        There is none, or none of this version.
    """
    return _connect_existing(path, "rw")


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, whether the daemon runs or not.

    Raises
    ------
    HistoryError
        There is none, or none of this version.
    """
    return _connect_existing(path, "ro")


def set_aside(path: Path) -> Path:
    """Rename a damaged file and what belongs to it; return its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        for suffix in ("-wal", "-shm", ""):  # the log first: beside a new file it would be taken for its own
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
        earlier = [
            file
            for file in path.parent.glob(f"{path.name}.damaged-*")
            if not file.name.endswith(("-wal", "-shm"))
        ]
        for old in sorted(earlier)[:-_SET_ASIDE_KEPT]:
            for suffix in ("-wal", "-shm", ""):
                old.with_name(old.name + suffix).unlink(missing_ok=True)
            _log.warning("history_damaged_file_deleted", file=str(old), newer_ones_kept=_SET_ASIDE_KEPT)
    except OSError as error:
        raise fault(error, path) from error
    return aside


def _opened(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    try:
        _make_private(path)
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise fault(error, path) from error
    try:
        _check(db, path, len(migrations))
        _settle(db)
        _migrate(db, migrations)
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            db.close()
        if isinstance(error, sqlite3.Error):
            raise fault(error, path) from error
        raise
    return db


def _connect_existing(path: Path, mode: str) -> sqlite3.Connection:
    if not path.exists():
        raise _nothing_yet(path)
    try:
        db = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        try:
            _check(db, path, len(MIGRATIONS))
            version = _number(db, "user_version")
            if version == 0:  # its daemon is about to make it
                raise _nothing_yet(path)
            if version < len(MIGRATIONS):
                raise HistoryError(
                    f"of an older version ({version}, not {len(MIGRATIONS)})",
                    where=str(path),
                    hint="Restart the daemon: it brings the file up to date.",
                )
            db.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise fault(error, path) from error
    return db


def _nothing_yet(path: Path) -> HistoryError:
    return HistoryError(
        "there is no history yet",
        where=str(path),
        hint="`aed-daemon run` keeps one where [history] is enabled; --file names another.",
    )


def _make_private(path: Path) -> None:
    """Make the file, for nobody else to read; SQLite gives its log the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except FileNotFoundError:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _check(db: sqlite3.Connection, path: Path, newest: int) -> None:
    """Refuse a file that is damaged, somebody else's, or of a version to come."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    identity, version = _number(db, "application_id"), _number(db, "user_version")
    if identity != APPLICATION_ID and (tables or identity):
        raise HistoryError(
            "the file is another program's database",
            where=str(path),
            hint="It is left as it is. Set history.path to a new file.",
        )
    if version > newest:
        raise HistoryError(
            f"of a newer version ({version}, not {newest})",
            where=str(path),
            hint="It is left as it is. Install that aed-daemon again, or set history.path to a new file.",
        )
    if version and not tables.issuperset(TABLES):
        raise HistoryError("damaged (tables are missing)", where=str(path), damaged=True)


def _settle(db: sqlite3.Connection) -> None:
    """Set what lasts, and how much a power cut may take: the last seconds, never the file."""
    if not _number(db, "user_version"):
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise HistoryError(f"the history cannot be used: damaged ({found})", damaged=True)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"journal_size_limit = {_CHECKPOINT_PAGES * 4_096}",
        "cache_size = -512",
        "temp_store = MEMORY",
        "foreign_keys = ON",
    ):
        db.execute(f"PRAGMA {pragma}").fetchall()


def _migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    for version in range(_number(db, "user_version"), len(migrations)):
        try:
            db.executescript(
                f"BEGIN IMMEDIATE; {migrations[version]}"
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version + 1}; COMMIT;"
            )
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if version:
            _log.info("history_brought_up_to_date", version=version + 1)
