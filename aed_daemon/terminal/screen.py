"""TerminalScreen: draws a scene on the whole terminal and takes keys, on a thread of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Self

from rich.console import Console
from rich.live import Live

from aed_daemon.terminal.keyboard import Keyboard
from aed_daemon.terminal.picture import Picture
from aed_daemon.terminal.scene import Scene

_TURN_S = 0.1
_JOIN_S = 5.0


class TerminalScreen:
    """The picture and its keys; use as a context manager, on the main thread.

    Parameters
    ----------
    scene : Scene
        What there is to see.
    console : Console
        The terminal.
    leave : callable
        Called when the user has seen enough, or the terminal is gone.
    mark : callable
        mark(source), when the user marks a moment.

    Notes
    -----
    The terminal is restored however this ends: by a key, a signal, an error, and while the process is
    suspended by Ctrl-Z. What fails on the thread is raised when the context ends.
    """

    def __init__(
        self, scene: Scene, console: Console, leave: Callable[[], None], mark: Callable[[str], None]
    ) -> None:
        self._scene, self._console, self._leave, self._mark = scene, console, leave, mark
        self._keyboard = Keyboard()
        self._lock = threading.RLock()  # drawing; a signal handler may come while it is held
        self._live: Live | None = None
        self._picture: Picture | None = None
        self._source = 0
        self._held = self._help = False
        self._drawn: object = None
        self._closing = threading.Event()
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._show()
        self._before = signal.signal(signal.SIGTSTP, self._suspend)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        os.write(self._waker, b".")
        self._thread.join(_JOIN_S)
        signal.signal(signal.SIGTSTP, self._before)
        self._hide()
        os.close(self._wake)
        os.close(self._waker)
        if self._failure is not None:
            raise self._failure

    def _show(self) -> None:
        with self._lock:
            self._keyboard.__enter__()
            self._live = Live(
                self._look(), console=self._console, screen=True, auto_refresh=False, redirect_stdout=False,
                redirect_stderr=False,
            )  # fmt: skip
            self._live.start(refresh=True)

    def _hide(self) -> None:
        with self._lock:
            live, self._live = self._live, None
            try:
                if live is not None:
                    with contextlib.suppress(OSError):  # the terminal is gone
                        live.stop()
            finally:
                self._keyboard.__exit__()

    def _suspend(self, *_: object) -> None:
        """Give the terminal back while the process is stopped (Ctrl-Z), and take it again afterwards."""
        self._hide()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # here it stands still until SIGCONT
        signal.signal(signal.SIGTSTP, self._suspend)
        self._show()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                for key in self._keyboard.wait(_TURN_S, self._wake):
                    self._press(key)
                self._draw()
        except (EOFError, OSError):  # the terminal is gone
            self._leave()
        except Exception as error:
            self._failure = error
            self._leave()

    def _draw(self) -> None:
        changes = 0 if self._held else self._scene.changes
        state = (self._console.size, changes, self._held, self._help, self._source)
        with self._lock:
            if self._live is None or (state == self._drawn):
                return
            self._drawn = state
            self._live.update(self._look(), refresh=True)

    def _look(self) -> Picture:
        """Return what is to be seen: the moment that is held, or this one."""
        name = self._scene.sources[self._source]
        if self._held and self._picture is not None:
            return replace(self._picture, held=True, help=self._help)
        self._picture = Picture(
            self._scene.moment(name),
            self._scene.lines(),
            self._scene.manifest,
            self._scene.rules,
            self._scene.sources,
            help=self._help,
            keys=self._keyboard.there,
        )
        return self._picture

    def _press(self, key: str) -> None:
        if key in "qQ\x04":
            self._leave()
        elif key in " pP":
            self._held = not self._held
        elif key in "mM":
            self._mark(self._scene.sources[self._source])
        elif key in "\tnN" and not self._held:
            self._source = (self._source + 1) % len(self._scene.sources)
        elif key in "?hH":
            self._help = not self._help
