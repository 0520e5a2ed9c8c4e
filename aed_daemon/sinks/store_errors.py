"""What can be wrong with an outbox's file: SQLite's and the system's errors in words."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from aed_daemon.errors import AedError


class StoreError(AedError):
    """The outbox's file cannot be used now.

    Parameters
    ----------
    problem : str
        In a few words, for a status.
    where : str
        The file.
    corrupt : bool
        Whether it never can be again.
    full : bool
        Whether all that is wrong is that there is no room.
    in_use : bool
        Whether another process has it.
    hint : str, optional
        What to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str,
        corrupt: bool = False,
        full: bool = False,
        in_use: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"the outbox cannot be kept on disk: {problem}", where=where, hint=hint)
        self.problem, self.corrupt, self.full, self.in_use = problem, corrupt, full, in_use


_CORRUPT = {sqlite3.SQLITE_CORRUPT: "damaged", sqlite3.SQLITE_NOTADB: "not an SQLite file"}

_PROBLEMS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room; events wait in memory until there is some."),
    sqlite3.SQLITE_READONLY: ("read-only", "Mount it writable, or set outbox.path to another disk."),
    sqlite3.SQLITE_BUSY: ("another process uses it", "Give every daemon an outbox.path of its own."),
    sqlite3.SQLITE_IOERR: ("input/output error", "Look for disk errors in the kernel's log (dmesg)."),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "Check that this user may write to its folder."),
    sqlite3.SQLITE_PERM: ("no permission", "Check that this user may write to its folder."),
}

_SYSTEM = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EIO: sqlite3.SQLITE_IOERR,
    errno.EACCES: sqlite3.SQLITE_PERM,
    errno.EPERM: sqlite3.SQLITE_PERM,
}


def fault(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """Return what an error means for the outbox."""
    if isinstance(error, OSError):
        code = _SYSTEM.get(error.errno or 0)
        said = error.strerror or str(error)
    else:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended code's lower byte
        said = str(error)
    if code in _CORRUPT:
        return StoreError(_CORRUPT[code], where=str(path), corrupt=True)
    problem, hint = _PROBLEMS.get(code or 0, (said, None))
    full, in_use = code == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_BUSY
    return StoreError(problem, where=str(path), full=full, in_use=in_use, hint=hint)
