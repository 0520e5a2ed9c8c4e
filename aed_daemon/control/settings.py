"""RemoteSettings: what was set over MQTT, kept over restarts, and how it stands to the configuration.

A remote value wins over the configuration until the configuration's own value changes: each is
kept with the configuration's value that it was set against, and dropped where that is another now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from aed_daemon.config import ClassConfig, DetectionConfig
from aed_daemon.config_sources import Source
from aed_daemon.config_types import Section
from aed_daemon.manifest import LOUD_SOUND
from aed_daemon.state_file import StateFile

FILE_NAME = "remote.json"

Silence = Literal["listening_off", "paused"]
"""Why a source is not listened to."""


class _Threshold(Section):
    value: float
    configured: float


class _Switch(Section):
    value: bool
    configured: bool


class _Pause(Section):
    until_ts: float | None
    duration_s: float | None


class _Content(Section):
    version: Literal[1] = 1
    thresholds: dict[str, dict[str, _Threshold]] = Field(default={})
    listening: dict[str, _Switch] = Field(default={})
    pauses: dict[str, _Pause] = Field(default={})


class RemoteSettings:
    """Thresholds, switches and pauses; used from one thread.

    Parameters
    ----------
    path : Path, optional
        Where they are kept; None: they end with the process.
    clock : callable
        Seconds since 1970.
    monotonic : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = StateFile(path)
        self._clock, self._monotonic = clock, monotonic
        content = self._file.read(_Content.model_validate) or _Content()
        self._thresholds = {source: dict(values) for source, values in content.thresholds.items()}
        self._listening = dict(content.listening)
        self._pauses = dict(content.pauses)
        self._pause_ends_s = {name: self._end_of(pause) for name, pause in self._pauses.items()}
        self._overridden: list[str] = []
        self._configured_listening: dict[str, bool] = {}
        self._configured_thresholds: dict[str, float] = {}

    @property
    def problem(self) -> str | None:
        """What was wrong with the file, if it had to be set aside."""
        return self._file.problem

    def configure_sources(self, sources: Iterable[Source]) -> None:
        """Take the configuration's sources."""
        self._configured_listening = {source.name: source.listening for source in sources}
        for name, listening in self._configured_listening.items():
            held = self._listening.get(name)
            if held is not None and held.configured != listening:
                del self._listening[name]
                self._overridden.append(f"{name}.listening")

    def configure_thresholds(self, thresholds: Mapping[str, float]) -> None:
        """Take the thresholds of configuration and model, by class."""
        self._configured_thresholds = dict(thresholds)
        for source, values in self._thresholds.items():
            for slug, held in list(values.items()):
                if slug in thresholds and held.configured != thresholds[slug]:
                    del values[slug]
                    self._overridden.append(f"{source}.{slug}.threshold")

    def take_overridden(self) -> list[str]:
        """Return what was dropped since the last call, as the configuration has another value now."""
        overridden, self._overridden = self._overridden, []
        return overridden

    # Thresholds

    def thresholds(self, source: str) -> dict[str, float]:
        """Return the threshold of every class, as it holds for a source."""
        return {**self._configured_thresholds, **self.remote_thresholds(source)}

    def remote_thresholds(self, source: str) -> dict[str, float]:
        """Return those thresholds that were set over MQTT."""
        held = self._thresholds.get(source, {})
        return {slug: held[slug].value for slug in self._configured_thresholds if slug in held}

    def set_threshold(self, source: str, slug: str, value: float | None) -> None:
        """Set a threshold; None: the configuration's holds again."""
        values = self._thresholds.setdefault(source, {})
        if value is None:
            values.pop(slug, None)
        else:
            values[slug] = _Threshold(value=value, configured=self._configured_thresholds[slug])

    def detection(self, source: str, base: DetectionConfig) -> DetectionConfig:
        """Return a configuration with a source's remote thresholds in it.

        The threshold under which a sound no longer counts as heard is never above the one at which
        it starts: `rules` sees to that.
        """
        changes: dict[str, Any] = {}
        classes = dict(base.classes)
        for slug, value in self.remote_thresholds(source).items():
            if slug == LOUD_SOUND:
                changes["loud_sound"] = base.loud_sound.model_copy(update={"snr_db": value})
            else:
                own = classes.get(slug, ClassConfig())
                classes[slug] = own.model_copy(update={"threshold_on": value})
        return base.model_copy(update={**changes, "classes": classes})

    # Listening

    def listening(self, source: str) -> bool:
        """Return whether the switch of a source is on; a pause does not move it."""
        held = self._listening.get(source)
        return self._configured_listening.get(source, True) if held is None else held.value

    def set_listening(self, source: str, listening: bool) -> None:
        """Move the switch of a source."""
        configured = self._configured_listening.get(source, True)
        self._listening[source] = _Switch(value=listening, configured=configured)

    def silence(self, source: str) -> Silence | None:
        """Return why a source is not to be listened to; None where it is."""
        if not self.listening(source):
            return "listening_off"
        return "paused" if source in self._pauses else None

    def pause(self, source: str, duration_s: float | None) -> None:
        """Stop listening to a source for so long; None: until `resume`."""
        until_ts = None if duration_s is None else self._clock() + duration_s
        self._pauses[source] = _Pause(until_ts=until_ts, duration_s=duration_s)
        self._pause_ends_s[source] = float("inf") if duration_s is None else self._monotonic() + duration_s

    def resume(self, source: str) -> None:
        """End a pause."""
        self._pauses.pop(source, None)
        self._pause_ends_s.pop(source, None)

    def pauses(self) -> dict[str, float | None]:
        """Return what is left of each pause, s; None: until it is ended."""
        now_s = self._monotonic()
        return {
            source: None if end_s == float("inf") else round(max(0.0, end_s - now_s), 1)
            for source, end_s in self._pause_ends_s.items()
        }

    def expire(self) -> list[str]:
        """End the pauses that are over and return their sources."""
        now_s = self._monotonic()
        over = [source for source, end_s in self._pause_ends_s.items() if end_s <= now_s]
        for source in over:
            self.resume(source)
        return over

    def save(self) -> bool:
        """Keep all this over a restart; False where that fails, which the log tells."""
        content = _Content(
            thresholds={source: values for source, values in self._thresholds.items() if values},
            listening=self._listening,
            pauses=self._pauses,
        )
        return self._file.write(content.model_dump())

    def _end_of(self, pause: _Pause) -> float:
        if pause.until_ts is None or pause.duration_s is None:
            return float("inf")
        # A clock that stands in the past after a boot must not make it longer than it was meant to be.
        return self._monotonic() + min(pause.duration_s, pause.until_ts - self._clock())
