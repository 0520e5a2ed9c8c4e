"""Keyboard: keys as they are pressed, without a line to finish; the terminal is as it was afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import termios
import tty
from typing import Self

_MORE_S = 0.02
"""The rest of an escape sequence follows at once."""

_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b", re.DOTALL)
"""An arrow, a function key, a report of the terminal (ECMA-48, 5.4), or the key Escape."""

_BEGUN = re.compile(rb"\x1b(\[[0-?]*[ -/]*|O)?$")


def plain(data: bytes) -> str:
    """Return the keys that stand for a character; all others mean nothing here."""
    return _SEQUENCE.sub(b"", data).decode(errors="ignore")


class Keyboard:
    """Reads keys from standard input, if that is a terminal; use as a context manager.

    Attributes
    ----------
    there : bool
        Whether there is one.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        try:
            if sys.stdin is not None and os.isatty(sys.stdin.fileno()):
                self._fd = sys.stdin.fileno()
        except (OSError, ValueError):  # standard input is closed
            self._fd = None
        self.there = self._fd is not None
        self._before: list[object] | None = None

    def __enter__(self) -> Self:
        if self._fd is not None:
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None and self._before is not None:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
            self._before = None

    def wait(self, timeout_s: float, wake: int) -> str:
        """Return what was pressed, at most after `timeout_s`, and at once when `wake` can be read.

        Raises
        ------
        EOFError
            If the terminal is gone.
        """
        watched = [wake] if self._fd is None else [wake, self._fd]
        ready, _, _ = select.select(watched, [], [], timeout_s)
        if self._fd is None or self._fd not in ready:
            return ""
        keys = self._read(self._fd)
        if _BEGUN.search(keys) and select.select([self._fd], [], [], _MORE_S)[0]:
            keys += self._read(self._fd)
        return plain(keys)

    @staticmethod
    def _read(fd: int) -> bytes:
        try:
            keys = os.read(fd, 64)
        except OSError as error:
            raise EOFError from error
        if not keys:
            raise EOFError
        return keys
