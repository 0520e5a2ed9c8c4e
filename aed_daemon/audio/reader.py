"""The thread that keeps a source open and fills the ring from it, whatever happens to the device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.backoff import Backoff
from aed_daemon.audio.clipping import ClipMarks
from aed_daemon.audio.clock import SampleClock
from aed_daemon.audio.ring import Ring
from aed_daemon.audio.session import Conditioning, Session
from aed_daemon.audio.source import Block, Source
from aed_daemon.errors import AudioError

StateCallback = Callable[[bool, str | None, str | None], None]
"""Called as on_state(online, code, detail) from the reader's thread; must return at once.

`code` is why it is not online in a word (`AudioError.code`, "ended", "stopped", "failed"), `detail`
the same for people; both None while it is.
"""

_HEALTHY_S = 3.0
"""A source that has delivered for so long was really there: the next pause is the shortest again."""

_REASONS = 4
"""So many different reasons are told of one absence: some programs never fail in the same words twice."""

_KEEP_OF_RING = 4
"""After an overrun a quarter of the ring waits: up to date again, and room for a long while."""

_IDLE_S = 5.0
"""Standard input that has been silent for so long is waited for: the watchdog has nothing to see."""

ENDED, STOPPED, FAILED = "ended", "stopped", "failed"
"""Why the ring was closed: the sound is over, `stop` was called, an error ended it."""


class ReaderCounters(NamedTuple):
    """What a reader has done so far.

    Attributes
    ----------
    samples : int
        Samples written to the ring, at the model's rate.
    gaps : int
        Holes that the source reported, losses of the device included.
    overruns : int
        Holes because the ring was not emptied in time.
    losses : int
        How often the source could not be opened or was lost.
    last_advance_s : float or None
        time.monotonic() when samples last arrived.
    state : str
        "opening", "running", "waiting" (for a source that is away), "ended", "stopped" or "failed".
    """

    samples: int
    gaps: int
    overruns: int
    losses: int
    last_advance_s: float | None
    state: str


class CaptureReader:
    """Keep a source open, and its sound at the model's rate in a ring.

    Parameters
    ----------
    make_source : callable
        Makes a fresh, unopened source; called again after each loss.
    rate_hz : int
        The model's rate.
    conditioning : Conditioning
        Channel, gain and DC blocker.
    ring_s : float
        Seconds that the ring holds.
    retry : bool
        True (a daemon): a source that fails is waited for, for ever, unless it has begun and is not
        repeatable: its sound would come twice. False (a one-shot command): the error ends the
        reading and `error` holds it.
    on_state : callable, optional
        on_state(online, code, detail), whenever `online` changes, and for the next few reasons why
        the source is not back.
    backoff_s : tuple of float
        First and longest pause before a source is tried again, seconds.
    dead_signal_s : float
        A source whose samples have had the same value for so long is lost, too, and not back before
        they vary; 0: never. Only for a live source.

    Attributes
    ----------
    ring : Ring
        Where the samples are.
    clips : ClipMarks
        Which of the samples in the ring were clipped by the device.
    clock : SampleClock
        From an index in the ring to UTC.
    error : AudioError or None
        What ended the reading, where it was not tried again.
    """

    def __init__(
        self,
        make_source: Callable[[], Source],
        *,
        rate_hz: int,
        conditioning: Conditioning | None = None,
        ring_s: float = 30.0,
        retry: bool = True,
        on_state: StateCallback | None = None,
        backoff_s: tuple[float, float] = (0.5, 10.0),
        dead_signal_s: float = 0.0,
    ) -> None:
        self._make_source, self._rate_hz, self._retry = make_source, rate_hz, retry
        self._conditioning = conditioning or Conditioning()
        self._on_state = on_state
        self._backoff = Backoff(*backoff_s)
        self._dead_signal_s = dead_signal_s
        self._dead = False
        self._source = make_source()
        self.name = self._source.name
        self.live = self._source.live
        capacity = round(ring_s * rate_hz)
        self.ring = Ring(capacity, keep=capacity // _KEEP_OF_RING)
        self.clips = ClipMarks()
        self.clock = SampleClock(rate_hz, exact=not self.live)
        self.error: AudioError | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._online: bool | None = None
        self._told: set[str | None] = set()
        self._samples = self._gaps = self._losses = 0
        self._last_advance_s: float | None = None
        self._state = "opening"
        self._thread = threading.Thread(target=self._run, name=f"capture {self.name}", daemon=True)

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 0.9) -> bool:
        """Close the source and the ring; return whether the thread has ended in time."""
        with self._lock:
            self._stopping.set()
            source = self._source
        source.close()
        self.ring.close(STOPPED)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def counters(self) -> ReaderCounters:
        """Return the counters as they are now."""
        state = "waiting" if self._is_idle() else self._state
        return ReaderCounters(
            self._samples, self._gaps, self.ring.overruns, self._losses, self._last_advance_s, state
        )

    def _is_idle(self) -> bool:
        """Whether nobody writes into the pipe: all that came has been heard, and no more comes."""
        if self.live or self._state != "running" or self._last_advance_s is None:
            return False
        silent_s = time.monotonic() - self._last_advance_s
        return silent_s > _IDLE_S and self.ring.waiting < self._rate_hz

    def _run(self) -> None:
        try:
            self._keep_open()
        finally:
            if not self.ring.closed:  # a defect; its traceback follows, and nobody shall wait for samples
                self._finish(FAILED, AudioError("the capture thread has failed", code=FAILED))

    def _keep_open(self) -> None:
        while True:
            try:
                self._read_to_end(self._source)
            except AudioError as error:
                self._source.close()
                if self._stopping.is_set():
                    return self._finish(STOPPED, None)
                self._losses += 1
                if not self._retry or (not self._source.repeatable and self.ring.written > 0):
                    self.error = error
                    return self._finish(FAILED, error)
                self._lost(error)
            else:
                self._source.close()
                return self._finish(STOPPED if self._stopping.is_set() else ENDED, None)
            self._stopping.wait(self._backoff.next_s())
            with self._lock:
                if self._stopping.is_set():
                    return self._finish(STOPPED, None)
                self._source = self._make_source()

    def _read_to_end(self, source: Source) -> None:
        form = source.open().checked(source.name)
        session = Session(form, self._rate_hz, self._conditioning, source.name)
        base: int | None = None
        try:
            while (block := source.read()) is not None:
                self._check_alive(session, block)
                if base is None and self._dead:
                    continue  # it is open again, and still says nothing
                if base is None:
                    session.begin(block)
                    base = self._begin(len(block.samples) / form.rate_hz)
                elif block.first_sample != session.next_native or block.gap_before:
                    self._gap(session, block, base)
                for first, end in session.clipped(block):
                    self.clips.add((base + first, base + end))
                self._write(session.push(block))
                self._advanced(base, session, block)
        finally:
            self._write(session.break_off())

    def _check_alive(self, session: Session, block: Block) -> None:
        if not self.live or self._dead_signal_s <= 0:
            return
        session.examine(block)
        if session.same_samples == 0:
            self._dead = False
        elif session.same_samples >= self._dead_signal_s * session.rate_hz:
            self._dead = True
            raise AudioError(
                "the microphone delivers one and the same value",
                where=self.name,
                expected="at least its own noise",
                got=f"nothing else for {self._dead_signal_s:g} s",
                hint="Is it muted, or broken? It is opened again.",
                code="dead_signal",
            )

    def _begin(self, block_s: float) -> int:
        """Return the index of a session's first sample, after a loss by how long that was."""
        base = self.ring.written
        if base > 0 and self._last_advance_s is not None:
            away_s = time.monotonic() - block_s - self._last_advance_s
            base += max(0, round(away_s * self._rate_hz))
            self.ring.cut(base, "device_lost")
            self.clock.restart()
        self._state = "running"
        self._tell(True, None, None)
        return base

    def _gap(self, session: Session, block: Block, base: int) -> None:
        self._write(session.break_off())
        self._gaps += 1
        if block.first_sample == session.next_native:  # nobody knows how much is missing
            self.clock.restart()
        self.ring.cut(base + session.at_model_rate(block.first_sample), "gap")

    def _write(self, samples: NDArray[np.float32]) -> None:
        self.ring.write(samples, wait=not self.live)
        self._samples += len(samples)

    def _advanced(self, base: int, session: Session, block: Block) -> None:
        self._last_advance_s = time.monotonic()
        if session.next_native > _HEALTHY_S * session.rate_hz:
            self._backoff.reset()
        self.clock.add(base + session.at_model_rate(session.next_native), block.wall_time_s)

    def _lost(self, error: AudioError) -> None:
        if self._state == "running":
            self._gaps += 1
            self.ring.cut(self.ring.written, "device_lost")
        self._state = "waiting"
        self._tell(False, error.code, str(error))

    def _finish(self, why: str, error: AudioError | None) -> None:
        self._state = why
        self.ring.close(why if error is None else str(error))
        self._tell(False, error.code if error else why, str(error) if error else why)

    def _tell(self, online: bool, code: str | None, detail: str | None) -> None:
        if online != self._online:
            self._online = online
            self._told.clear()
        if detail not in self._told and len(self._told) < _REASONS:
            self._told.add(detail)
            if self._on_state:
                self._on_state(online, code, detail)
