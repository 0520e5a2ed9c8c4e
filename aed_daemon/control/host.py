"""DaemonHost: the daemon as remote control sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from aed_daemon.config import LogConfig
from aed_daemon.control.requests import LogLevel, RequestError
from aed_daemon.control.settings import RemoteSettings, Silence
from aed_daemon.logs import configure
from aed_daemon.verdict import judge

if TYPE_CHECKING:
    from aed_daemon.supervisor import Daemon

_log = structlog.get_logger(__name__)


class DaemonHost:
    """Does for a command what needs more of the daemon than one call.

    Parameters
    ----------
    daemon : Daemon
        Commands are taken from its main loop alone, so what runs is there.
    settings : RemoteSettings
        What was set.
    clock_synced : callable
        Whether the system clock is synchronised.
    """

    def __init__(self, daemon: Daemon, settings: RemoteSettings, clock_synced: Callable[[], bool]) -> None:
        self._daemon, self._settings, self._clock_synced = daemon, settings, clock_synced
        self._silent: dict[str, Silence | None] = {}
        self._log: LogConfig | None = None
        self._log_before: LogConfig | None = None

    @property
    def source_names(self) -> Sequence[str]:
        """The configuration's sources."""
        return [source.name for source in self._daemon.config.source]

    @property
    def log_level(self) -> LogLevel:
        """Least severity that is logged."""
        configured = self._daemon.config.log
        changed = self._log is not None and self._log_before == configured
        return self._log.level if changed and self._log else configured.level

    def set_log_level(self, level: LogLevel) -> None:
        """Log more or less, until a restart or until a reload changes [log]."""
        self._log_before = self._daemon.config.log
        self._log = self._log_before.model_copy(update={"level": level})
        configure(self._log)

    def apply_listening(self) -> None:
        """Close the devices of sources that shall be silent, and open those of the others."""
        for name in self.source_names:
            silence = self._settings.silence(name)
            if silence is not None and silence != self._silent.get(name):
                _log.info("not_listening", source=name, reason=silence)
                self._daemon.close_source(name, silence)
            elif silence is None and name not in self._daemon.workers:
                self._daemon.open_source(name)
        self._silent = {name: self._settings.silence(name) for name in self.source_names}

    def apply_thresholds(self, source: str) -> None:
        """Detect with the thresholds of the settings from now on."""
        worker = self._daemon.workers.get(source)
        if worker is not None:
            worker.retune(self._settings.detection(source, self._daemon.config.detection))

    def reload_or_refuse(self) -> None:
        """Read the configuration anew; AedError where it is refused."""
        if not self._daemon.reload_now():
            raise RequestError("there is no configuration file to read again")

    def source_states(self) -> dict[str, str]:
        """Return the state of each source: its reader's, or why it is not listened to."""
        states = {}
        for name in self.source_names:
            worker = self._daemon.workers.get(name)
            states[name] = worker.counters()[0].state if worker else str(self._settings.silence(name))
        return states

    def report(self) -> dict[str, Any]:
        """Return health, the verdict on it, and the state of each source."""
        figures = self._daemon.figures()
        verdict = judge(figures)
        health = asdict(self._daemon.health()).items()
        known = {key: value for key, value in health if key not in _OF_THE_SINK}
        told = {"healthy": verdict.healthy, "reasons": list(verdict.reasons)}
        return {**told, "sources": dict(figures.states), **known}

    def test_event(self, source: str) -> str:
        """Publish the start and the end of a test event and return its id."""
        from aed_daemon.reporting import test_events

        daemon = self._daemon
        start, end = test_events(daemon.config, source, daemon.classifier, self._clock_synced())
        daemon.outlet.event(start)
        daemon.outlet.event(end)
        return start.id

    def capture_clip(self, source: str, duration_s: float) -> dict[str, Any]:
        """Record what a source hears from now on; return the clip's id and where it will be.

        Raises
        ------
        AedError
            Where nothing may be, or can be, recorded.
        """
        if not self._daemon.config.clips.enabled:
            raise RequestError("not available: clips are off; [clips] of the configuration has them")
        from aed_daemon.clips.clips import Clips

        clips = self._daemon.companion(Clips)
        if clips is None:
            raise RequestError("not available: clips could not be started")
        take = clips.capture(source, duration_s)
        return {"id": take.id, "clip": take.name}

    def retain(self, topic: str, payload: str) -> None:
        """Publish, retained; the topic is below prefix/node/."""
        self._daemon.outlet.retain(topic, payload)

    def respond(self, topic: str, payload: str) -> None:
        """Publish, not retained."""
        self._daemon.outlet.respond(topic, payload)


_OF_THE_SINK = ("outbox_depth", "dead_letters", "reconnects")
"""Figures that are filled in on their way out: bridge/health has them."""
