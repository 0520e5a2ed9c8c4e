"""A source that plays a script: blocks, losses, waiting, an end."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.errors import AudioError


class Hang:
    """The device says nothing more, until it is closed."""


MONO = PcmFormat(16_000, 1)

Step = Block | AudioError | type[Hang]


class ScriptedSource:
    """Deliver `steps` one by one, then end."""

    name = "scripted"

    def __init__(
        self, steps: Iterable[Step], *, form: PcmFormat | AudioError = MONO, live: bool = True
    ) -> None:
        self._steps = iter(steps)
        self._form = form
        self.live = self.repeatable = live
        self.closed = threading.Event()

    def open(self) -> PcmFormat:
        if isinstance(self._form, AudioError):
            raise self._form
        return self._form

    def read(self) -> Block | None:
        step = next(self._steps, None)
        if step is Hang:
            self.closed.wait(30.0)
            return None
        if isinstance(step, AudioError):
            raise step
        return step if isinstance(step, Block) and not self.closed.is_set() else None

    def close(self) -> None:
        self.closed.set()
