"""Sink: where events, availability, levels and health go; and what they look like on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from aed_daemon.events import Event


@dataclass(frozen=True, slots=True)
class SourceLevel:
    """How loud a source is right now, after its gain.

    Parameters
    ----------
    source : str
        Name of the source.
    rms_dbfs, floor_dbfs : float
        RMS of the loudest 10 ms of the last hop, and the adaptive noise floor, dBFS.
    peak_dbfs : float
        Largest magnitude since the last report, dBFS.
    clipped : bool
        Whether a sample has reached full scale since then.
    """

    source: str
    rms_dbfs: float
    peak_dbfs: float
    floor_dbfs: float
    clipped: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon is. `None` where a figure is not known (yet).

    Parameters
    ----------
    real_time_factor : float or None
        Processing time over audio time since the last report, a mean over the sources; a source over
        1 cannot keep up. None where nothing was heard.
    cpu_percent : float or None
        Share of one core since the last report, %.
    pss_mb : float or None
        Proportional set size of all processes of the daemon, MiB.
    overruns, shed_hops : int
        Gaps by ring overrun and hops that were left out, since the start.
    events : int
        Events since the start.
    uptime_s : float
        Seconds since the start.
    outbox_depth, dead_letters, reconnects : int
        Filled in by the sink that knows them; callers leave them at 0.
    outbox : str
        Where events wait, `disk` or `memory`; filled in likewise.
    outbox_problem : str or None
        Why it is memory although it should be the disk; filled in likewise.
    outbox_oldest_s : float or None
        Age of the oldest event that waits, s; filled in likewise.
    problems : mapping of str to str
        What optional parts cannot do now, by part: `clips` where nothing can be recorded.
    """

    real_time_factor: float | None
    cpu_percent: float | None
    pss_mb: float | None
    overruns: int
    shed_hops: int
    events: int
    uptime_s: float
    outbox_depth: int = 0
    dead_letters: int = 0
    reconnects: int = 0
    outbox: str = "memory"
    outbox_problem: str | None = None
    outbox_oldest_s: float | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BridgeInfo:
    """What this daemon is and what it can hear.

    Parameters
    ----------
    version : str
        Version of the daemon.
    model_name, model_sha256 : str
        The network.
    engine : str
        What runs it: native, litert or tflite.
    exact : bool
        Whether that engine's scores are bit-exact.
    classes : mapping of str to str
        Slug to label of every class that is published, `loud_sound` included where it is.
    sources : tuple of str
        Names of the sources.
    config_schema : int
        Version of the configuration's schema.
    epoch : str
        The outbox's epoch, 8 hex digits. A sink that has the outbox publishes that one's instead.
    """

    version: str
    model_name: str
    model_sha256: str
    engine: str
    exact: bool
    classes: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    config_schema: int = 1
    epoch: str = "00000000"


@runtime_checkable
class Sink(Protocol):
    """Takes what the daemon has to say.

    Called from the pipeline's threads, possibly from several at once. No method may block on the
    outside world, or raise because of it: a sink counts, reports and retries on its own.
    """

    def event(self, event: Event) -> None:
        """Take an event that has its `epoch` and `seq`."""

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Take that a source can be heard, or why it cannot."""

    def level(self, level: SourceLevel) -> None:
        """Take a level; the sink decides how many of them it passes on."""

    def health(self, health: Health) -> None:
        """Take the daemon's health."""

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered within `timeout_s`, then let go of everything."""
