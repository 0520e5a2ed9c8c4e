"""A real pseudo-terminal with a real emulator behind it: what a user would see, and can press."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shlex
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from typing import Self

import pyte

from tests.process import command
from tests.waiting import wait_for

COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}


class Terminal:
    """A program in a terminal; ends with the context.

    Parameters
    ----------
    arguments : str
        Of `aed-daemon listen`.
    columns, rows : int
        Size of the terminal.
    env : mapping of str
        Changes to the environment.
    keyboard : bool
        False: standard input is no terminal.
    script : str, optional
        For a shell with job control, which runs the program, {}.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 100,
        rows: int = 30,
        env: Mapping[str, str] | None = None,
        keyboard: bool = True,
        script: str | None = None,
    ) -> None:
        listen = command("listen", *arguments)
        self._command = listen if script is None else ["bash", "-mc", script.format(shlex.join(listen))]
        self._keyboard = keyboard
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.sent = b""
        ours = {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "COLORTERM"}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        self._env = {**kept, **COLOURS, **(env or {})}
        self._size = (columns, rows)

    def __enter__(self) -> Self:
        self._master, self._slave = pty.openpty()
        self.resize(*self._size)
        self.before = termios.tcgetattr(self._slave)
        stdin = self._slave if self._keyboard else subprocess.DEVNULL
        self.process = subprocess.Popen(
            self._command,
            stdin=stdin, stdout=self._slave, stderr=self._slave, env=self._env, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal, as a connection that breaks does."""
        for descriptor in (self._slave, self._master):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.sent += data
                self._stream.feed(data)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal, as dragging its corner does."""
        with self._lock:
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        with self._lock:
            return list(self._screen.display)

    def picture(self) -> list[str]:
        """Return the lines of a picture that is drawn to its end, which is its last line."""
        whole: list[list[str]] = []

        def drawn() -> bool:
            with self._lock:
                if b"leave" in self.sent[self.sent.rfind(b"\x1b[H") :]:
                    whole.append(list(self._screen.display))
            return bool(whole)

        wait_for(drawn, "a whole picture")
        return whole[0]

    @property
    def colours(self) -> set[str]:
        """All colours on the screen, of characters and behind them."""
        with self._lock:
            cells = [cell for row in self._screen.buffer.values() for cell in row.values()]
            return {cell.fg for cell in cells} | {cell.bg for cell in cells}

    def shows(self, text: str) -> bool:
        """Return whether a text stands on the screen."""
        return any(text in line for line in self.lines)

    def wait_for(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until a text stands on the screen."""
        wait_for(lambda: self.shows(text) or self.process.poll() is not None, text, timeout_s)
        assert self.shows(text), "\n".join(self.lines)

    def wait_end(self) -> int:
        """Wait until the program has ended and return its exit status."""
        return self.process.wait(20.0)

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: settings, cursor, and the screen that was there before."""
        settings = termios.tcgetattr(self._slave) == self.before
        left = self.sent.rfind(b"\x1b[?1049l") > self.sent.rfind(b"\x1b[?1049h")
        cursor = self.sent.rfind(b"\x1b[?25h") > self.sent.rfind(b"\x1b[?25l")
        return settings and left and cursor
