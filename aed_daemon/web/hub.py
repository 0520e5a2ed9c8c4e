"""Hub: hands messages from any thread to viewers, whose queues are bounded; slow ones lose the oldest."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

QUEUE_MESSAGES = 64
"""Messages that wait for one viewer: some 15 s of one source."""

_BACKLOG_MESSAGES = 96
_LINGER_S = 15.0
"""Messages are kept for so long after the last viewer has left, so that a page reloaded is not empty."""

_BEAT_S = 5.0
BEAT = b"event: beat\ndata: {}\n\n"
LOST = b"event: lost\ndata: {}\n\n"


class Viewer:
    """One open page.

    Parameters
    ----------
    backlog : list of bytes
        What it is told first.
    """

    def __init__(self, backlog: list[bytes]) -> None:
        self.queue: deque[bytes] = deque(backlog[-QUEUE_MESSAGES:], maxlen=QUEUE_MESSAGES)
        self.lost = self.ended = False
        self.stirred = asyncio.Event()


class Hub:
    """All viewers.

    Parameters
    ----------
    max_viewers : int
        Most of them.
    """

    def __init__(self, max_viewers: int) -> None:
        self._max_viewers = max_viewers
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()
        self._backlog: deque[bytes] = deque(maxlen=_BACKLOG_MESSAGES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left_s = -_LINGER_S
        self._closed = False

    @property
    def watched(self) -> bool:
        """Whether anybody looks, or did a moment ago: if not, no message need be made."""
        return bool(self._viewers) or time.monotonic() - self._left_s < _LINGER_S

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def tell(self, message: bytes, *, keep: bool = False) -> None:
        """Hand a message to everyone who looks; from any thread, without waiting for any of them.

        Parameters
        ----------
        message : bytes
            A server-sent event.
        keep : bool
            Whether those that come within the next seconds are to have it too.
        """
        with self._lock:
            if keep:
                self._backlog.append(message)
            for viewer in self._viewers:
                viewer.lost |= len(viewer.queue) == QUEUE_MESSAGES
                viewer.queue.append(message)
            loop = self._loop if self._viewers else None
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has been closed meanwhile
                loop.call_soon_threadsafe(self._stir)

    def forget(self) -> None:
        """Drop what was kept: it is too old to join what comes."""
        with self._lock:
            self._backlog.clear()

    @property
    def full(self) -> bool:
        """Whether there is no place for another viewer."""
        return self._closed or self.viewers >= self._max_viewers

    def _join(self) -> Viewer:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            viewer = Viewer(list(self._backlog))
            viewer.ended = self._closed
            self._viewers.add(viewer)
            return viewer

    def _leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._left_s = time.monotonic()

    async def chunks(self, first: Callable[[], bytes]) -> AsyncIterator[bytes]:
        """Yield what a new viewer is to be sent, `first()` before all else, until it or the hub ends."""
        viewer = self._join()
        try:
            yield first()
            while not viewer.ended:
                waiting = self._take(viewer)
                if waiting:
                    yield waiting
                    continue
                viewer.stirred.clear()
                try:
                    await asyncio.wait_for(viewer.stirred.wait(), _BEAT_S)
                except TimeoutError:
                    yield BEAT
        finally:
            self._leave(viewer)

    def close(self) -> None:
        """End all viewers; from any thread."""
        with self._lock:
            self._closed = True
            for viewer in self._viewers:
                viewer.ended = True
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._stir)

    def _take(self, viewer: Viewer) -> bytes:
        with self._lock:
            messages = list(viewer.queue)
            viewer.queue.clear()
            lost, viewer.lost = viewer.lost, False
        return b"".join([LOST, *messages] if lost else messages)

    def _stir(self) -> None:
        with self._lock:
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.stirred.set()
