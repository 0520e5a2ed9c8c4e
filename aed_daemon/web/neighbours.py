"""Neighbours: history, clips and metrics, as far as the page has a use for them and they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # what is not configured is not imported
    from pathlib import Path

    from aed_daemon.companions import Companion
    from aed_daemon.history.rows import Label, Page, Query


@runtime_checkable
class History(Protocol):
    """Past sounds and what people say of them; its calls may take a while."""

    def sounds(self, query: Query) -> Page:
        """Return what is asked for, the newest onset first."""

    def label(self, sound_id: str, verdict: Label | None) -> None:
        """Say of a sound that it was right or wrong; None takes back what was said."""

    def missed(self, class_: str, at_ts: float, source: str | None = None) -> str:
        """Note that a class sounded and was not reported; return the id of the note."""


@runtime_checkable
class Recordings(Protocol):
    """Clips of sounds."""

    def resolve(self, relative: str) -> Path | None:
        """Return the file that a path below their folder names; None for all that is no clip's."""


@runtime_checkable
class Measured(Protocol):
    """The daemon's figures."""

    def exposition(self) -> tuple[bytes, str]:
        """Return them in Prometheus's text format, and its content type."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is there of them."""

    history: History | None = None
    recordings: Recordings | None = None
    measured: Measured | None = None

    @classmethod
    def among(cls, others: Sequence[Companion]) -> Neighbours:
        """Return those that are among the companions made before."""
        return cls(
            next((one for one in others if isinstance(one, History)), None),
            next((one for one in others if isinstance(one, Recordings)), None),
            next((one for one in others if isinstance(one, Measured)), None),
        )
