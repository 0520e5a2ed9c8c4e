"""JsonLinesSink: every event as one line of JSON on a stream."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TextIO

import structlog

from aed_daemon.events import Event
from aed_daemon.sinks.protocol import Health, SourceLevel
from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)


class JsonLinesSink:
    """Writes events to a stream, each flushed at once.

    Parameters
    ----------
    stream : TextIO
        Usually standard output.
    queue_lines : int
        0: write in the caller's thread, so that a slow reader slows the caller down: right for
        `replay`. Otherwise a thread of its own writes, and this many lines wait at most; the
        oldest is dropped, counted and reported: right for `run`, where nothing may block.
    """

    def __init__(self, stream: TextIO, queue_lines: int = 0) -> None:
        if queue_lines < 0:
            raise ValueError(f"queue_lines must be 0 or more, got {queue_lines}")
        self._stream = stream
        self._quiet = OncePer()
        self._broken = False
        self._errors = 0
        self._dropped = 0
        self._closing = False
        self._lines: deque[str] = deque()
        self._queue_lines = queue_lines
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if queue_lines:
            self._thread = threading.Thread(target=self._run, name="jsonl", daemon=True)
            self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether the reader is gone (`| head`); nothing more is written then."""
        return self._broken

    @property
    def errors(self) -> int:
        """How many lines could not be written, the broken pipe left out."""
        return self._errors

    @property
    def dropped(self) -> int:
        """How many lines were dropped because the reader was too slow."""
        return self._dropped

    def event(self, event: Event) -> None:
        """Write an event, or queue it."""
        if self._broken or self._closing:
            return
        line = event.to_json() + "\n"
        if self._thread is None:
            self._write(line)
            return
        with self._changed:
            if len(self._lines) >= self._queue_lines:
                self._lines.popleft()
                self._dropped += 1
                if (held := self._quiet.due("slow")) is not None:
                    _log.warning("jsonl_reader_too_slow", dropped=self._dropped, not_shown=held)
            self._lines.append(line)
            self._changed.notify()

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Ignore it: the stream carries events only."""

    def level(self, level: SourceLevel) -> None:
        """Ignore it: the stream carries events only."""

    def health(self, health: Health) -> None:
        """Ignore it: the stream carries events only."""

    def close(self, timeout_s: float) -> None:
        """Write what is queued, within `timeout_s`. The stream stays open: it is not ours."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _log.warning("jsonl_reader_too_slow", lines_not_written=len(self._lines))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines and not self._closing:
                    self._changed.wait()
                if not self._lines:
                    return
                line = self._lines.popleft()
            self._write(line)
            if self._broken:
                return

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except BrokenPipeError:
            self._broken = True
            self._silence()
        except (OSError, ValueError) as error:  # a full disk; ValueError: the stream was closed
            self._errors += 1
            if (held := self._quiet.due("write")) is not None:
                _log.error("jsonl_write_failed", error=str(error), not_shown=held)

    def _silence(self) -> None:
        """Point the stream at nothing, so that flushing it at exit does not complain once more."""
        try:
            fd = self._stream.fileno()
        except (OSError, ValueError):  # not a file: nothing is flushed at exit
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, fd)
        os.close(nowhere)
