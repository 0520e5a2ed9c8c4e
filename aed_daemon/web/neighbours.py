"""Neighbours: history, clips and metrics, as far as the page has a use for them and they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from aed_daemon.companions import Companion


@dataclass(frozen=True, slots=True)
class SoundQuery:
    """Which sounds a history is asked for; what is empty or None limits nothing."""

    since_ts: float | None = None
    until_ts: float | None = None
    classes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    min_score: float | None = None
    labels: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("event", "near_miss", "missed")
    limit: int = 200
    cursor: str | None = None


class _Sound(Protocol):
    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""


class _Page(Protocol):
    @property
    def sounds(self) -> Sequence[_Sound]:
        """The newest onset first."""

    @property
    def next(self) -> str | None:
        """Cursor of the page that follows."""


@runtime_checkable
class History(Protocol):
    """Past sounds and what people say of them; its calls may take a while."""

    def sounds(self, query: Any) -> _Page:
        """Return what a `SoundQuery` asks for."""

    def label(self, sound_id: str, verdict: Literal["right", "wrong"] | None) -> None:
        """Say of a sound that it was right or wrong; None takes back what was said."""

    def missed(self, class_: str, at_ts: float, *, source: str | None = None, node: str = "") -> str:
        """Note that a class sounded and was not reported; return the id of the note."""


@runtime_checkable
class Recordings(Protocol):
    """Clips of sounds."""

    folder: Path

    def find(self, sound_id: str) -> Any:
        """Return where the clip of a sound is, None where there is none."""


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
