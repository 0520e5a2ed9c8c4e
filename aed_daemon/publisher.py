"""Publisher: has every event committed and hands it to all sinks; one that fails takes nobody down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aed_daemon.events import Event
from aed_daemon.guard import Guard
from aed_daemon.sinks.outbox import Outbox
from aed_daemon.sinks.protocol import Health, Sink, SourceLevel


class Publisher:
    """The pipeline's only way out.

    Parameters
    ----------
    outbox : Outbox
        Gives events their `epoch` and `seq`.
    sinks : sequence of Sink
        Where everything goes, in this order.

    Notes
    -----
    Sinks see an event once the outbox has committed it, and in the order of `seq`, whichever threads
    they come from: at once from an outbox in memory, from the outbox's thread where it is on disk. So
    no reader ever knows of an event that a power loss could take back.
    """

    def __init__(self, outbox: Outbox, sinks: Sequence[Sink]) -> None:
        self._outbox = outbox
        self._sinks = tuple(sinks)
        self._guard = Guard("sink_failed")
        outbox.listen(self._committed)

    @property
    def failures(self) -> int:
        """How many calls of a sink ended in an exception since the start."""
        return self._guard.failures

    def event(self, draft: Event) -> None:
        """Give an event to the outbox: every sink gets it once it is committed. Never blocks."""
        self._outbox.append(draft)

    def availability(self, source: str, online: bool, reason: str | None = None) -> None:
        """Say that a source can be heard, or why it cannot."""
        self._each("availability", lambda sink: sink.availability(source, online, reason))

    def level(self, level: SourceLevel) -> None:
        """Hand on how loud a source is."""
        self._each("level", lambda sink: sink.level(level))

    def health(self, health: Health) -> None:
        """Hand on how the daemon is."""
        self._each("health", lambda sink: sink.health(health))

    def close(self, timeout_s: float) -> None:
        """Close every sink; all of them together take `timeout_s` at most, if they keep to it."""
        deadline = time.monotonic() + timeout_s
        self._each("close", lambda sink: sink.close(max(0.0, deadline - time.monotonic())))

    def _committed(self, event: Event) -> None:
        self._each("event", lambda sink: sink.event(event))

    def _each(self, what: str, call: Callable[[Sink], None]) -> None:
        self._guard.each(self._sinks, what, call)
