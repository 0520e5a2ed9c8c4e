"""A program that writes to a pipe: started, read with a deadline, killed with all its children."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Sequence

from aed_daemon.errors import AudioError

_TAIL_LINES, _TAIL_BYTES = 4, 2_000
_REAP_S = 0.2
_READ_BYTES = 65_536


class Child:
    """Another process and its standard output.

    Parameters
    ----------
    argv : sequence of str
        Program and arguments; no shell.
    name : str
        What to call it in errors.
    environment : dict of str, optional
        Instead of this process's own.
    leash : bool
        Whether its standard input is a pipe that ends when this process does; else it is empty.
    """

    def __init__(
        self,
        argv: Sequence[str],
        name: str,
        *,
        environment: dict[str, str] | None = None,
        leash: bool = False,
    ) -> None:
        self._argv, self._name, self._environment = list(argv), name, environment
        self._stdin = subprocess.PIPE if leash else subprocess.DEVNULL
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._tail = b""
        self._tail_thread: threading.Thread | None = None
        self._reading = threading.Lock()
        self.closed = False

    def start(self) -> None:
        """Start it, once; raises AudioError where that fails or `close` came first."""
        with self._lock:
            if self.closed:
                raise AudioError("closed before it was opened", where=self._name)
            if self._process is not None:
                return
            try:
                self._process = subprocess.Popen(
                    self._argv,
                    stdin=self._stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env=self._environment,
                    start_new_session=True,  # for the kill; and Ctrl-C is for the parent only
                )
            except OSError as error:
                raise AudioError(
                    "cannot start the program",
                    where=self._name,
                    got=f"{self._argv[0]}: {error.strerror}",
                    hint="Is it installed, and on the PATH?",
                ) from error
            self._wake_read, self._wake_write = os.pipe()
            self._tail_thread = threading.Thread(target=self._keep_tail, daemon=True)
            self._tail_thread.start()
            self._selector = selectors.DefaultSelector()
            self._selector.register(self._stdout(), selectors.EVENT_READ)
            self._selector.register(self._wake_read, selectors.EVENT_READ)

    def _stdout(self) -> int:
        if self._process is None or self._process.stdout is None:
            raise AudioError("read before open", where=self._name)
        return self._process.stdout.fileno()

    def read(self, timeout_s: float | None) -> bytes | None:
        """Return what it has written: some bytes, b"" at its end or ours, None after the timeout."""
        with self._reading:
            if self.closed:
                return b""
            descriptor = self._stdout()
            # Asked again: a process that was stopped meanwhile is past its time, with data waiting.
            found = self._selector.select(timeout_s) or self._selector.select(0)
            ready = {key.fd for key, _ in found}
            if self._wake_read in ready:
                return b""
            return os.read(descriptor, _READ_BYTES) if ready else None

    def ending(self) -> str:
        """Return how it ended, with the last lines that it wrote to standard error."""
        process = self._process
        if process is None:
            return "not started"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_REAP_S)
        if self._tail_thread:
            self._tail_thread.join(_REAP_S)
        code = process.returncode
        if code is None:
            how = "still running with its output closed"
        elif code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        else:
            how = f"exit status {code}"
        lines = self._tail.decode(errors="replace").replace("\r", "\n").splitlines()
        said = " / ".join([line.strip() for line in lines if line.strip()][-_TAIL_LINES:])
        return f"{how} ({said})" if said else how

    @property
    def exit_status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll() if self._process else None

    def close(self) -> None:
        """Kill it and all that it started; a waiting `read` returns. From any thread, repeatedly."""
        with self._lock:
            first, self.closed = not self.closed, True
            process = self._process
        if not first or process is None:
            return
        os.write(self._wake_write, b"x")
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # in an uninterruptible sleep: let it be
            process.wait(_REAP_S)
        with self._reading:  # `read` has been woken
            self._selector.close()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _keep_tail(self) -> None:
        if self._process is None or self._process.stderr is None:
            return
        with self._process.stderr as stderr:
            while data := stderr.read(_READ_BYTES):
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
