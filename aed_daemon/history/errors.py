"""What can be wrong with a history's file, in words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from aed_daemon.errors import AedError


class HistoryError(AedError):
    """The history cannot be read or written.

    Parameters
    ----------
    what, where, expected, got, hint
        As for `AedError`.
    damaged : bool
        Whether the file never can be used again.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        damaged: bool = False,
    ) -> None:
        super().__init__(what, where=where, expected=expected, got=got, hint=hint)
        self.damaged = damaged


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_KNOWN = {
    sqlite3.SQLITE_CORRUPT: ("damaged", None),
    sqlite3.SQLITE_NOTADB: ("not an SQLite file", None),
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room; nothing else depends on the history."),
    sqlite3.SQLITE_READONLY: ("read-only", "Mount it writable, or set history.path to another disk."),
    sqlite3.SQLITE_BUSY: ("another process is writing to it for too long", "Try again."),
    sqlite3.SQLITE_IOERR: ("input/output error", "Look for disk errors in the kernel's log (dmesg)."),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Only its owner may: run this as root, or as the user of the daemon.",
    ),
    sqlite3.SQLITE_PERM: ("no permission", "Run this as root, or as the user of the daemon."),
}


def fault(error: sqlite3.Error | OSError, path: Path) -> HistoryError:
    """Return what an error of SQLite or of the system means."""
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        return HistoryError(f"the history cannot be kept there ({said})", where=str(path))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended code's lower byte
    problem, hint = _KNOWN.get(code, (str(error), None))
    return HistoryError(
        f"the history cannot be used: {problem}", where=str(path), hint=hint, damaged=code in _DAMAGED
    )
