"""Raw PCM from standard input, or from the standard output of a program."""

from __future__ import annotations

import os
import selectors
import sys
import threading
import time
from collections.abc import Sequence

from aed_daemon.audio.child import Child
from aed_daemon.audio.condition import SAMPLE_DTYPE, SampleFormat, decode_pcm
from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.errors import AudioError

_READ_BYTES = 65_536


class _Assembler:
    """Bytes in any portions -> blocks of whole samples of all channels."""

    def __init__(self, form: PcmFormat, sample_format: SampleFormat, live: bool) -> None:
        self._form, self._sample_format, self._live = form, sample_format, live
        self._unit = form.channels * SAMPLE_DTYPE[sample_format].itemsize
        self._rest = b""
        self._next = 0
        self._origin_s = time.time()

    def push(self, data: bytes) -> Block | None:
        """Take bytes and return the samples that they complete, if any."""
        data = self._rest + data
        whole = len(data) - len(data) % self._unit
        self._rest = data[whole:]
        first, self._next = self._next, self._next + whole // self._unit
        if whole == 0:
            return None
        samples = decode_pcm(data[:whole], self._sample_format, self._form.channels)
        sounded_s = self._origin_s + self._next / self._form.rate_hz
        return Block(first, samples, False, time.time() if self._live else sounded_s)


class StdinSource:
    """Raw interleaved PCM on standard input (or another descriptor).

    A sample that is incomplete at the end is left out.

    Parameters
    ----------
    rate_hz, channels, sample_format
        What the bytes mean: nothing in them says so.
    live : bool
        False: a slow reader makes the writer wait (a file through a pipe; times count from `open`).
        True: the writer cannot wait (a radio, a network), and samples may be lost here.
    descriptor : int
        Where to read; not closed.
    """

    def __init__(
        self,
        rate_hz: int,
        channels: int = 1,
        sample_format: SampleFormat = "s16",
        *,
        live: bool = False,
        descriptor: int | None = None,
    ) -> None:
        self.name, self.live, self.repeatable = "stdin", live, False
        self._form = PcmFormat(rate_hz, channels)
        self._assembler = _Assembler(self._form, sample_format, live)
        self._given = descriptor
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._closed = False

    def open(self) -> PcmFormat:
        """Begin; raises AudioError where there is no standard input, or it is a terminal."""
        form = self._form.checked(self.name)
        descriptor = self._given
        if descriptor is None:
            if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
                raise AudioError(
                    "no sound on standard input",
                    where=self.name,
                    expected="raw PCM from a pipe or a file",
                    got="a terminal" if sys.stdin and not sys.stdin.closed else "nothing",
                    hint="For example: arecord -t raw -f S16_LE -r 16000 | aed-daemon …",
                    code="no_input",
                )
            descriptor = sys.stdin.fileno()
        with self._lock:
            self._descriptor = descriptor
            self._wake_read, self._wake_write = os.pipe()
            if self._closed:
                os.write(self._wake_write, b"x")
        return form

    def read(self) -> Block | None:
        """Return what has arrived; None at the end."""
        while True:
            data = self._receive()
            if not data:
                return None
            if block := self._assembler.push(data):
                return block

    def _receive(self) -> bytes:
        with self._reading:
            if self._closed or self._descriptor is None:
                return b""
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_read, selectors.EVENT_READ)
                try:
                    selector.register(self._descriptor, selectors.EVENT_READ)
                except PermissionError:  # a file: always ready, and epoll does not take it
                    return os.read(self._descriptor, _READ_BYTES)
                ready = {key.fd for key, _ in selector.select()}
            return b"" if self._wake_read in ready else os.read(self._descriptor, _READ_BYTES)

    def close(self) -> None:
        """Wake a waiting `read`, which returns None."""
        with self._lock:
            first, self._closed = not self._closed, True
            if not first or self._descriptor is None:
                return
            os.write(self._wake_write, b"x")
        with self._reading:
            os.close(self._wake_read)
            os.close(self._wake_write)


class CommandSource:
    """A program that writes raw interleaved PCM to its standard output: arecord, ffmpeg.

    Parameters
    ----------
    argv : sequence of str
        Program and arguments; started without a shell, killed with all that it started.
    rate_hz, channels, sample_format
        What it writes.
    live : bool
        True: an end, too, is a loss, and who reads too slowly loses samples. False: it can wait,
        and may end with status 0.
    stall_timeout_s : float or None
        Seconds without a byte after which it counts as lost; None: never.
    """

    def __init__(
        self,
        argv: Sequence[str],
        rate_hz: int,
        channels: int = 1,
        sample_format: SampleFormat = "s16",
        *,
        live: bool = True,
        stall_timeout_s: float | None = 10.0,
    ) -> None:
        self.name, self.live, self.repeatable = f"command {argv[0]}", live, live
        self._form = PcmFormat(rate_hz, channels)
        self._assembler = _Assembler(self._form, sample_format, live)
        self._child = Child(argv, self.name)
        self._stall_timeout_s = stall_timeout_s

    def open(self) -> PcmFormat:
        """Start the program; raises AudioError where that fails."""
        form = self._form.checked(self.name)
        try:
            self._child.start()
        except AudioError as error:
            error.code = "command_failed"
            raise
        return form

    def read(self) -> Block | None:
        """Return what it has written.

        Raises
        ------
        AudioError
            Where it ends (live: in any way; else: with a status other than 0) or stalls.
        """
        while True:
            data = self._child.read(self._stall_timeout_s)
            if data is None:
                raise AudioError(
                    "the program has stalled",
                    where=self.name,
                    expected=f"samples within {self._stall_timeout_s:g} s",
                    got="none",
                    hint="It is killed and started again.",
                    code="command_stalled",
                )
            if self._child.closed:
                return None
            if not data:
                self._check_ending()
                return None
            if block := self._assembler.push(data):
                return block

    def _check_ending(self) -> None:
        how = self._child.ending()
        if self._child.closed or (not self.live and self._child.exit_status == 0):
            return
        raise AudioError(
            "the program has ended",
            where=self.name,
            expected="samples without end",
            got=how,
            code="command_ended",
        )

    def close(self) -> None:
        """Kill the program and all that it started; a waiting `read` returns None."""
        self._child.close()
