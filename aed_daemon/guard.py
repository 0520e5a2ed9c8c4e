"""Guard: calls several parts in turn; one that fails takes nobody down with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

Part = TypeVar("Part")


class Guard:
    """Calls parts, counts what they raise, and logs it at most once a minute.

    Parameters
    ----------
    message : str
        What is logged, such as "sink_failed".

    Attributes
    ----------
    failures : int
        Calls that ended in an exception.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        self._quiet = OncePer()
        self.failures = 0

    def each(self, parts: Iterable[Part], what: str, call: Callable[[Part], None]) -> None:
        """Do `call` with every part; `what` names it in the log."""
        for part in parts:
            try:
                call(part)
            except Exception as error:
                self.failures += 1
                name = type(part).__name__
                held = self._quiet.due(f"{name}.{what}.{type(error).__name__}")
                if held is not None:
                    _log.error(
                        self._message, part=name, call=what, error=str(error), not_shown=held, exc_info=error
                    )
