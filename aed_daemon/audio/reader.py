"""The thread that keeps a source open and fills the ring from it, whatever happens to the device."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.clock import SampleClock
from aed_daemon.audio.condition import DC_BLOCK_HZ, Conditioner
from aed_daemon.audio.resample import Resampler
from aed_daemon.audio.ring import Ring
from aed_daemon.audio.source import Block, PcmFormat, Source
from aed_daemon.errors import AudioError

StateCallback = Callable[[bool, str | None], None]
"""Called as on_state(online, reason) from the reader's thread; must return at once."""

_HEALTHY_S = 3.0
"""A source that has delivered for so long was really there: the next pause is the shortest again."""

_REASONS = 4
"""So many different reasons are told of one absence: some programs never fail in the same words twice."""

_IDLE_S = 5.0
"""Standard input that has been silent for so long is waited for: the watchdog has nothing to see."""

ENDED, STOPPED, FAILED = "ended", "stopped", "failed"
"""Why the ring was closed: the sound is over, `stop` was called, an error ended it."""


class Backoff:
    """Growing pauses between attempts, each shortened by a random part so that peers spread out."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self.reset()

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Return the pause before the next attempt, in seconds."""
        pause_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets
        self._next_s = min(self._longest_s, 2.0 * self._next_s)
        return pause_s


class Conditioning(NamedTuple):
    """How a source becomes one channel; see `Conditioner`."""

    channel: int | Literal["mix"] = "mix"
    gain_db: float = 0.0
    dc_block_hz: float = DC_BLOCK_HZ


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


class _Session:
    """One source between open and loss: native blocks in, samples at the model's rate out."""

    def __init__(self, form: PcmFormat, rate_hz: int, how: Conditioning, where: str) -> None:
        if how.channel != "mix" and how.channel >= form.channels:
            raise AudioError(
                "no such channel",
                where=where,
                expected=f"0 to {form.channels - 1}",
                got=str(how.channel),
                hint='Set `channel` to one of them or to "mix".',
            )
        self.rate_hz, self._model_rate_hz = form.rate_hz, rate_hz
        self._conditioner = Conditioner(form.rate_hz, how.channel, how.gain_db, how.dc_block_hz)
        self._resampler = Resampler(form.rate_hz, rate_hz)
        self.next_native = 0

    def push(self, block: Block) -> NDArray[np.float32]:
        self.next_native = block.first_sample + len(block.samples)
        return self._resampler.push(self._conditioner.push(block.samples))

    def break_off(self) -> NDArray[np.float32]:
        """Return what the filters still hold, and forget the past."""
        self._conditioner.reset()
        return self._resampler.flush()

    def at_model_rate(self, native: int) -> int:
        return -(-native * self._model_rate_hz // self.rate_hz)


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
        True (a daemon): a source that fails is waited for, for ever, unless it is one that is not
        live and has begun: its sound would come twice. False (a one-shot command): the error ends
        the reading and `error` holds it.
    on_state : callable, optional
        on_state(online, reason), whenever `online` changes, and for the next few reasons why the
        source is not back.
    backoff_s : tuple of float
        First and longest pause before a source is tried again, seconds.

    Attributes
    ----------
    ring : Ring
        Where the samples are.
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
    ) -> None:
        self._make_source, self._rate_hz, self._retry = make_source, rate_hz, retry
        self._conditioning = conditioning or Conditioning()
        self._on_state = on_state
        self._backoff = Backoff(*backoff_s)
        self._source = make_source()
        self.name = self._source.name
        self.live = self._source.live
        self.ring = Ring(round(ring_s * rate_hz))
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
                self._finish(FAILED, "the capture thread has failed")

    def _keep_open(self) -> None:
        while True:
            try:
                self._read_to_end(self._source)
            except AudioError as error:
                self._source.close()
                if self._stopping.is_set():
                    return self._finish(STOPPED, None)
                self._losses += 1
                if not self._retry or (not self.live and self.ring.written > 0):
                    self.error = error
                    return self._finish(FAILED, str(error))
                self._lost(str(error))
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
        session = _Session(form, self._rate_hz, self._conditioning, source.name)
        base: int | None = None
        try:
            while (block := source.read()) is not None:
                if base is None:
                    base = self._begin(len(block.samples) / form.rate_hz)
                if block.first_sample != session.next_native or block.gap_before:
                    self._gap(session, block, base)
                self._write(session.push(block))
                self._advanced(base, session, block)
        finally:
            self._write(session.break_off())

    def _begin(self, block_s: float) -> int:
        """Return the index of a session's first sample, after a loss by how long that was."""
        base = self.ring.written
        if base > 0 and self._last_advance_s is not None:
            away_s = time.monotonic() - block_s - self._last_advance_s
            base += max(0, round(away_s * self._rate_hz))
            self.ring.cut(base, "device_lost")
            self.clock.restart()
        self._state = "running"
        self._tell(True, None)
        return base

    def _gap(self, session: _Session, block: Block, base: int) -> None:
        self._write(session.break_off())
        self._gaps += 1
        if block.first_sample == session.next_native:  # nobody knows how much is missing
            self.clock.restart()
        self.ring.cut(base + session.at_model_rate(block.first_sample), "gap")

    def _write(self, samples: NDArray[np.float32]) -> None:
        self.ring.write(samples, wait=not self.live)
        self._samples += len(samples)

    def _advanced(self, base: int, session: _Session, block: Block) -> None:
        self._last_advance_s = time.monotonic()
        if session.next_native > _HEALTHY_S * session.rate_hz:
            self._backoff.reset()
        self.clock.add(base + session.at_model_rate(session.next_native), block.wall_time_s)

    def _lost(self, reason: str) -> None:
        if self._state == "running":
            self._gaps += 1
            self.ring.cut(self.ring.written, "device_lost")
        self._state = "waiting"
        self._tell(False, reason)

    def _finish(self, why: str, reason: str | None) -> None:
        self._state = why
        self.ring.close(why if reason is None else reason)
        self._tell(False, reason or why)

    def _tell(self, online: bool, reason: str | None) -> None:
        if online != self._online:
            self._online = online
            self._told.clear()
        if reason not in self._told and len(self._told) < _REASONS:
            self._told.add(reason)
            if self._on_state:
                self._on_state(online, reason)
