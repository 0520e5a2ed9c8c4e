"""Figures: what every part of the daemon has counted, read without a wait or a side effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aed_daemon.worker import SourceWorker


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """What capture and detection of a source have done since it was opened.

    Attributes
    ----------
    samples, gaps, overruns, losses : int
        As in `ReaderCounters`; `gaps` are those that detection has met, of whatever cause.
    hops, gated_hops, shed_hops : int
        As in `PipelineCounters`.
    busy_s, audio_s : float
        Time spent working, and the sound worked on, seconds.
    """

    samples: int
    gaps: int
    overruns: int
    losses: int
    hops: int
    gated_hops: int
    shed_hops: int
    busy_s: float
    audio_s: float

    @classmethod
    def of(cls, worker: SourceWorker) -> SourceFigures:
        """Return those of a source that is listened to."""
        capture, detection = worker.counters()
        return cls(
            samples=capture.samples,
            gaps=detection.gaps,
            overruns=capture.overruns,
            losses=capture.losses,
            hops=detection.hops,
            gated_hops=detection.gated_hops,
            shed_hops=detection.shed_hops,
            busy_s=detection.busy_s,
            audio_s=detection.audio_s,
        )


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """How events get out.

    Attributes
    ----------
    outbox : str
        Where they wait for the broker, `disk` or `memory`.
    outbox_problem : str or None
        Why it is memory although it should be the disk.
    depth, dead_letters : int
        How many wait, and how many the broker has refused.
    oldest_s : float or None
        Age of the oldest that waits, s.
    connected : bool or None
        Whether the broker has let us in; None: none is configured.
    reconnects : int
        How often the connection came about again.
    failures : int
        Calls of a sink that ended in an exception.
    """

    outbox: str
    outbox_problem: str | None
    depth: int
    dead_letters: int
    oldest_s: float | None
    connected: bool | None
    reconnects: int
    failures: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it, at one moment.

    Attributes
    ----------
    turn_age_s : float
        Time since the main loop turned, s; it does so four times a second and more.
    stuck : tuple of str
        What has not moved between the watchdog's last two looks; see `ProgressWatch`.
    states : mapping of str to str
        State of every source of the configuration, "running" for one that is listened to.
    sources : mapping of str to SourceFigures
        Of those sources that are open or waited for.
    delivery : DeliveryFigures or None
        None before there is anything to deliver with.
    failures : int
        Calls of a companion that ended in an exception.
    uptime_s : float
        Time since the start, s.
    """

    turn_age_s: float = 0.0
    stuck: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, SourceFigures] = field(default_factory=dict)
    delivery: DeliveryFigures | None = None
    failures: int = 0
    uptime_s: float = 0.0
