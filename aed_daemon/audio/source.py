"""The border between what delivers sound and what listens: formats, blocks, `Source`, pacing."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AudioError

RATES_HZ = (8_000, 192_000)
"""Lowest and highest rate in Hz that a source may deliver."""

MAX_CHANNELS = 64
"""More interleaved channels than this are taken for a damaged header."""


class PcmFormat(NamedTuple):
    """What a source delivers.

    Attributes
    ----------
    rate_hz : int
        Samples per second of each channel.
    channels : int
        Interleaved channels.
    """

    rate_hz: int
    channels: int

    def checked(self, where: str) -> PcmFormat:
        """Return self.

        Raises
        ------
        AudioError
            For a rate or a number of channels that cannot be processed.
        """
        if not RATES_HZ[0] <= self.rate_hz <= RATES_HZ[1]:
            raise AudioError(
                "sample rate out of range",
                where=where,
                expected=f"{RATES_HZ[0]} to {RATES_HZ[1]} Hz",
                got=f"{self.rate_hz} Hz",
                hint="Convert it first, for example with ffmpeg -ar 16000.",
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(
                "number of channels out of range",
                where=where,
                expected=f"1 to {MAX_CHANNELS}",
                got=str(self.channels),
            )
        return self


class Block(NamedTuple):
    """Consecutive samples.

    Attributes
    ----------
    first_sample : int
        Index of the first, at the source's rate, counted from 0 at `open`; lost samples count too.
    samples : ndarray, float32 (n, channels)
        Full scale is 1.0.
    gap_before : bool
        Whether samples were lost between the block before and this one.
    wall_time_s : float
        UTC, in seconds since 1970, when the last of the samples arrived.
    """

    first_sample: int
    samples: NDArray[np.float32]
    gap_before: bool
    wall_time_s: float


class Source(Protocol):
    """Something that delivers sound once: made, opened, read to its end, closed.

    Opening again after a loss takes a new object, so that `close` is final and nothing can race it.
    """

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def live(self) -> bool:
        """True: who falls behind loses samples. False: it waits for its reader."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether another may be opened after one was lost: not where its sound would come twice."""
        ...

    def open(self) -> PcmFormat:
        """Begin; raises AudioError where it cannot."""
        ...

    def read(self) -> Block | None:
        """Wait for the next block; None at the end or after `close`; AudioError when lost."""
        ...

    def close(self) -> None:
        """End, from any thread: a waiting `read` returns. May be called again."""
        ...


class Pacer:
    """Hold samples back to the speed of the clock, measured against their count, so without drift.

    Parameters
    ----------
    rate_hz : int
        Samples per second of sound.
    speed : float or None
        1.0 is real time, 2.0 twice as fast; None does not wait at all.
    """

    def __init__(self, rate_hz: int, speed: float | None) -> None:
        self._per_second = rate_hz * speed if speed is not None else None
        self._closed = threading.Event()
        self._start_s = time.monotonic()

    def wait(self, end_sample: int) -> bool:
        """Wait until the sample before `end_sample` would have sounded; False once closed."""
        if self._per_second is None:
            return not self._closed.is_set()
        remaining_s = self._start_s + end_sample / self._per_second - time.monotonic()
        return not self._closed.wait(max(0.0, remaining_s))

    def close(self) -> None:
        """Wake `wait`, now and for ever."""
        self._closed.set()
