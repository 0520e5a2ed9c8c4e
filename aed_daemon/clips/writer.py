"""ClipWriter: the thread that puts clips on the disk; whatever the disk does, nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from aed_daemon.clips.files import ClipFiles
from aed_daemon.clips.retention import Retention
from aed_daemon.clips.take import Take
from aed_daemon.errors import AedError
from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

ROUND_S = 10.0
"""Age and free space are looked at so often, and a disk that has failed is tried again."""

STUCK_S = 5.0
"""A disk that takes longer for one thing does not answer."""

MOST_WAITING_BYTES = 16 << 20
"""Sound that may wait to be written; what comes on top is lost, and said."""


@dataclass
class ClipCounters:
    """What became of clips since the start.

    Attributes
    ----------
    written : int
        Lie on the disk.
    failed : int
        Were promised and could not be written, or were too many at once.
    refused : int
        Sounds that nobody tried to record, since the disk had failed.
    vetoed : int
        Dropped, as a class that must not be recorded was heard.
    deleted : int
        Too old, too many, or in the way of free space.
    """

    written: int = 0
    failed: int = 0
    refused: int = 0
    vetoed: int = 0
    deleted: int = 0


class ClipWriter:
    """Reserves room for clips when they begin, writes them when they are complete.

    Parameters
    ----------
    files : ClipFiles
        How.
    retention : Retention
        Is enforced before anything is written, at the start, and every `round_s`.
    round_s : float
        Time between two looks at the disk, s.

    Attributes
    ----------
    counters : ClipCounters
        What has been done.
    """

    def __init__(self, files: ClipFiles, retention: Retention, round_s: float = ROUND_S) -> None:
        self._files, self._retention, self._round_s = files, retention, round_s
        self.counters = ClipCounters()
        self._quiet = OncePer()
        self._changed = threading.Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._problem: str | None = "the disk has not answered yet"
        self._busy_since_s: float | None = None
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)

    def start(self, patience_s: float) -> None:
        """Begin, and wait a little for the disk's first answer."""
        self._thread.start()
        self._looked.wait(patience_s)

    @property
    def problem(self) -> str | None:
        """Why nothing can be recorded now; None where it can."""
        busy_since_s = self._busy_since_s
        if busy_since_s is not None and time.monotonic() - busy_since_s > STUCK_S:
            return "the disk does not answer"
        return self._problem

    def refuse(self) -> None:
        """Take that a sound was not recorded because of the problem, and say so now and then."""
        self.counters.refused += 1
        if (held := self._quiet.due("refused")) is not None:
            _log.warning("clip_not_recorded", problem=self.problem, not_shown=held)

    def reserve(self, take: Take) -> None:
        """Take room for a clip that has begun; it fails where there is none."""
        self._put(lambda: self._reserve(take))

    def write(self, take: Take) -> None:
        """Write a clip that is complete, or give up its room where it has failed."""
        if take.failed:
            self._put(lambda: self._files.abandon(take))
            return
        size = sum(block.pcm.nbytes for block in take.blocks)
        with self._changed:
            full = self._waiting_bytes + size > MOST_WAITING_BYTES
            if not full:
                self._waiting_bytes += size
        if full:
            take.blocks = []
            self._fail(take, "the disk is too slow: too many clips wait")
            self._put(lambda: self._files.abandon(take))
        else:
            self._put(lambda: self._write(take, size))

    def close(self, timeout_s: float) -> None:
        """Write what waits, within `timeout_s`; then give up the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._changed:
            left = len(self._jobs)
            self._jobs.clear()
        if left or self._thread.is_alive():
            _log.warning("clips_not_finished", problem=self.problem or "no time", left=left)

    def _put(self, job: Callable[[], None]) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    # The thread

    def _run(self) -> None:
        due_s = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: bool(self._jobs) or self._closing, max(0.0, due_s - time.monotonic())
                )
                job = self._jobs.popleft() if self._jobs else None
                if job is None and self._closing:
                    return
            self._busy_since_s = time.monotonic()
            try:
                if job is not None:
                    job()
                if time.monotonic() >= due_s:
                    self._look()
                    due_s = time.monotonic() + self._round_s
            except Exception as error:  # a defect must not end the thread
                if (held := self._quiet.due("defect")) is not None:
                    _log.exception("clip_writer_failed", error=str(error), not_shown=held)
            self._busy_since_s = None

    def _look(self) -> None:
        """See whether clips can be written, and delete what is too much."""
        try:
            self._files.try_out()
            self._retention.enforce()
        except OSError as error:
            self._set_problem(str(error))
        else:
            self._set_problem(None)
        self.counters.deleted = self._retention.deleted
        self._looked.set()

    def _reserve(self, take: Take) -> None:
        if take.failed:
            return
        try:
            self._retention.enforce(self._files.most_bytes, need_clips=1)
            self._files.reserve(take)
        except OSError as error:
            self._files.abandon(take)
            self._fail(take, str(error))
            self._set_problem(str(error))

    def _write(self, take: Take, size: int) -> None:
        try:
            if not take.failed:
                written, problem = self._files.write(take)
                for path in written:
                    self._retention.add(take.id, path)
                self.counters.written += 1
                if problem is not None and (held := self._quiet.due("beside")) is not None:
                    _log.warning("clip_without_picture", error=str(problem), not_shown=held)
        except (OSError, AedError) as error:
            self._fail(take, str(error))
            self._set_problem(str(error))
        finally:
            if take.failed:
                self._files.abandon(take)
            take.blocks = []
            with self._changed:
                self._waiting_bytes -= size

    def _fail(self, take: Take, why: str) -> None:
        take.failed = True
        self.counters.failed += 1
        if (held := self._quiet.due("failed")) is not None:
            _log.error("clip_not_written", clip=take.name, error=why, not_shown=held)

    def _set_problem(self, problem: str | None) -> None:
        before, self._problem = self._problem, problem
        if problem is None and before is not None and self._looked.is_set():
            _log.info("clips_work_again", before=before)
        elif problem is not None and (held := self._quiet.due("problem")) is not None:
            hint = "Events go out without clips until there is room and the folder can be written."
            _log.error("clips_cannot_be_written", error=problem, hint=hint, not_shown=held)
