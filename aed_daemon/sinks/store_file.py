"""Opening an outbox's file: made where there is none, set aside where it cannot be read, one owner."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from aed_daemon.sinks.store import Store
from aed_daemon.sinks.store_damage import salvage, set_aside
from aed_daemon.sinks.store_errors import StoreError, fault
from aed_daemon.sinks.store_rows import APPLICATION_ID, FORMAT, SCHEMA, Limits

_log = structlog.get_logger(__name__)

_BUSY_S = 1.0  # the daemon before this one may be on its last lines
_CHECKPOINT_PAGES = 256
_TABLES = ("counter", "waiting", "hole", "dead_letter", "open_sound")


@dataclass(frozen=True)
class Opener:
    """Opens stores for one process.

    Parameters
    ----------
    rate_hz : int
        The model's sample rate.
    clock, utc : callable
        Monotonic seconds, and seconds since 1970.
    process : int
        Stands for this process in what it stores.
    """

    rate_hz: int
    clock: Callable[[], float] = time.monotonic
    utc: Callable[[], float] = time.time
    process: int = field(default_factory=lambda: int.from_bytes(os.urandom(4), "big"))

    def open(self, path: Path, limits: Limits) -> Store:
        """Return the store in a file: a new one where there is none, or none that can be read.

        Raises
        ------
        StoreError
            It cannot be used now: no room, no permission, or another process has it.
        """
        try:
            _make_private(path)
        except OSError as error:
            raise fault(error, path) from error
        try:
            return self._connected(path, limits)
        except StoreError as error:
            if not error.corrupt:
                raise
            return self.replace(path, limits, error.problem)

    def replace(self, path: Path, limits: Limits, problem: str) -> Store:
        """Set a damaged file aside; return a new store with what could be read, under a new epoch.

        Raises
        ------
        StoreError
            It cannot be set aside, or no new one can be made.
        """
        aside = set_aside(path, self.utc())
        saved = salvage(aside, self.clock())
        try:
            _make_private(path)
        except OSError as error:
            raise fault(error, path) from error
        store = self._connected(path, limits)
        store.write(carried=saved)
        _log.error(
            "outbox_damaged",
            file=str(path),
            problem=problem,
            set_aside=str(aside),
            events_saved=store.depth,
            epoch=store.epoch,
            hint="A failing disk or SD card, or a power cut on one that lies about what it has written.",
        )
        return store

    def copy(self, path: Path, limits: Limits) -> Store | None:
        """Return a store to read from where `path` is on a disk that cannot be written; None: no use."""
        if not path.exists():
            return None
        folder = Path(tempfile.mkdtemp(prefix="aed-outbox-"))
        try:
            for file in (path, path.with_name(f"{path.name}-wal")):
                if file.exists():
                    shutil.copyfile(file, folder / file.name)
            return self._connected(folder / path.name, limits)
        except (OSError, StoreError):
            return None
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what is open stays readable

    def _connected(self, path: Path, limits: Limits) -> Store:
        db = connect(path)
        try:
            _check(db, path)
            _use_log(db, path)
            store = Store(
                db, path, limits, process=self.process, rate_hz=self.rate_hz, clock=self.clock, utc=self.utc
            )
            store.write()  # shows that it can be written
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                db.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise fault(error, path) from error
            raise
        return store


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that shares the file with nobody."""
    try:
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        # Exclusive: one daemon, and no index in shared memory, whose mapping a bad disk turns into SIGBUS.
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "mmap_size = 0",
            "temp_store = MEMORY",
            "cache_size = -512",
        ):
            db.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error as error:
        raise fault(error, path) from error
    return db


def _make_private(path: Path) -> None:
    """Make the file, for nobody else to read; its log takes its mode from it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except FileNotFoundError:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if os.statvfs(path).f_flag & os.ST_RDONLY:  # SQLite says less of it
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file; refuse one that is damaged or somebody else's."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"damaged ({found})", where=str(path), corrupt=True)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    identity = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not tables and identity in (0, APPLICATION_ID):
        _use_log(db, path)
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        _sync_folder(path.parent)
    elif identity != APPLICATION_ID:
        raise StoreError(
            "the file is another program's database", where=str(path), hint="Set outbox.path to a new file."
        )
    elif version != FORMAT or not tables.issuperset(_TABLES):
        raise StoreError(f"of another version ({version}, not {FORMAT})", where=str(path), corrupt=True)


def _use_log(db: sqlite3.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"no write-ahead log there, journal mode is {mode}", where=str(path))
    for pragma in (
        "synchronous = FULL",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"journal_size_limit = {_CHECKPOINT_PAGES * 4_096}",
    ):
        db.execute(f"PRAGMA {pragma}").fetchall()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a store that has been moved elsewhere."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            file.unlink()
