"""The one buffer between the thread that captures and the thread that listens."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

GapReason = Literal["overrun", "gap", "device_lost"]
"""Why samples are missing: the reader was too slow, the source dropped some, the source was away."""


class Stretch(NamedTuple):
    """Samples without a gap between them.

    Attributes
    ----------
    first_sample : int
        Index of the first.
    samples : ndarray, float32 (n,)
        A copy: it belongs to the caller.
    """

    first_sample: int
    samples: NDArray[np.float32]


class Gap(NamedTuple):
    """Samples [first_sample, end_sample) that will never come; none (equal) where a cut is all.

    A lost device gives one of length 0 at once, so that its events can end, and one with the length
    of its absence when it is back.
    """

    first_sample: int
    end_sample: int
    reason: GapReason


class _Jump(NamedTuple):
    """From stored position `at` on, the index is greater by `length` than it would have been."""

    at: int
    length: int
    reason: GapReason


class Ring:
    """A bounded buffer of float32 samples, addressed by an index that only grows.

    One thread writes, one reads. The index is the sample's number at the model's rate; lost samples
    count. Internally a position counts the samples that were stored, so a long gap takes no room.

    Parameters
    ----------
    capacity : int
        Samples that can wait to be read.
    keep : int, optional
        Of those that wait, only so many are left after an overrun: one hole and then a while
        without is better than a small hole again and again. Default: all.
    """

    def __init__(self, capacity: int, keep: int | None = None) -> None:
        if capacity < 1:
            raise ValueError("a ring holds at least one sample")
        self._keep = capacity if keep is None else max(1, min(keep, capacity))
        self._buffer = np.full(capacity, np.nan, np.float32)
        self._changed = threading.Condition()
        self._stored = 0
        self._taken = 0
        self._index_written = 0
        self._index_read = 0
        self._jumps: deque[_Jump] = deque()
        self._length_overwritten = 0
        self._closed = False
        self._close_reason: str | None = None
        self._overruns = 0

    @property
    def capacity(self) -> int:
        """Samples that can wait to be read."""
        return len(self._buffer)

    @property
    def written(self) -> int:
        """Index after the last sample written."""
        return self._index_written

    @property
    def read_index(self) -> int:
        """Index of the next sample to read, before any gap that lies there."""
        return self._index_read

    @property
    def waiting(self) -> int:
        """Samples that are stored and not read yet, lost ones not counted."""
        with self._changed:
            return min(self._stored - self._taken, self.capacity)

    @property
    def overruns(self) -> int:
        """How often the reader has found samples overwritten."""
        return self._overruns

    @property
    def closed(self) -> bool:
        """Whether the writer has ended; samples may still wait."""
        return self._closed

    @property
    def close_reason(self) -> str | None:
        """What `close` was told."""
        return self._close_reason

    # The writer's side

    def write(self, samples: NDArray[np.float32], *, wait: bool) -> bool:
        """Append samples, float32 (n,).

        Parameters
        ----------
        samples : ndarray, float32 (n,)
            Any number of them.
        wait : bool
            True: wait for room. False: overwrite the oldest; the reader will see a gap.

        Returns
        -------
        bool
            False where the ring has been closed: nobody will read on.
        """
        done = 0
        while done < len(samples):
            with self._changed:
                if wait:
                    self._changed.wait_for(lambda: self._closed or self._room() > 0)
                if self._closed:
                    return False
                limit = self._room() if wait else self.capacity
                part = samples[done : done + limit]
                self._store(part)
                done += len(part)
                self._changed.notify_all()
        return not self._closed

    def cut(self, to_index: int, reason: GapReason) -> None:
        """Say that what follows does not join on: the next sample written has index `to_index`.

        An index that has been written already means the next one: nothing is missing, but what
        follows does not join on.
        """
        with self._changed:
            length = max(0, to_index - self._index_written)
            self._index_written += length
            if self._jumps and self._jumps[-1].at == self._stored:
                earlier = self._jumps.pop()
                length, reason = earlier.length + length, earlier.reason
            self._jumps.append(_Jump(self._stored, length, reason))
            while self._jumps[0].at < self._stored - self.capacity:
                self._length_overwritten += self._jumps.popleft().length
            self._changed.notify_all()

    def close(self, reason: str | None = None) -> None:
        """End the writing; what is stored can still be read. The first reason stays."""
        with self._changed:
            if not self._closed:
                self._closed, self._close_reason = True, reason
            self._changed.notify_all()

    def _room(self) -> int:
        return self.capacity - (self._stored - self._taken)

    def _store(self, part: NDArray[np.float32]) -> None:
        at = self._stored % self.capacity
        head = min(len(part), self.capacity - at)
        self._buffer[at : at + head] = part[:head]
        self._buffer[: len(part) - head] = part[head:]
        self._stored += len(part)
        self._index_written += len(part)

    # The reader's side

    def wait(self, until_index: int, timeout_s: float | None = None) -> Literal["ready", "closed", "timeout"]:
        """Wait until all before `until_index` is written.

        Returns
        -------
        "ready"
            They are, or a gap waits to be read, or the ring is full.
        "closed"
            The writer has ended, and fewer than that are left to read.
        "timeout"
            Neither within `timeout_s` seconds.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._index_written >= until_index or self._jumps or self._room() <= 0:
                    return "ready"
                if self._closed:
                    return "closed"
                remaining_s = None if deadline_s is None else deadline_s - time.monotonic()
                if remaining_s is not None and remaining_s <= 0:
                    return "timeout"
                self._changed.wait(remaining_s)

    def read(self, max_samples: int) -> Stretch | Gap | None:
        """Take what comes next: samples of one stretch, at most `max_samples`, or a gap.

        Returns None where nothing has been written yet (or ever will be, once closed).
        """
        with self._changed:
            if self._stored - self._taken > self.capacity:
                return self._skip(self._stored - self._taken - self._keep)
            if self._jumps and self._jumps[0].at == self._taken:
                jump = self._jumps.popleft()
                first = self._index_read
                self._index_read += jump.length
                return Gap(first, self._index_read, jump.reason)
            end = self._jumps[0].at if self._jumps else self._stored
            count = min(end - self._taken, max_samples)
            if count <= 0:
                return None
            stretch = Stretch(self._index_read, self._load(count))
            self._taken += count
            self._index_read += count
            self._changed.notify_all()
            return stretch

    def _skip(self, lost: int) -> Gap:
        """Step over the oldest samples, those overwritten among them, and any jumps therein."""
        self._overruns += 1
        first = self._index_read
        self._taken += lost
        self._index_read += lost + self._length_overwritten
        self._length_overwritten = 0
        while self._jumps and self._jumps[0].at <= self._taken:
            self._index_read += self._jumps.popleft().length
        return Gap(first, self._index_read, "overrun")

    def _load(self, count: int) -> NDArray[np.float32]:
        at = self._taken % self.capacity
        head = self._buffer[at : at + count]
        tail = self._buffer[: count - len(head)]
        return np.concatenate([head, tail])
