"""Web: the live page as a companion; at next to no cost while nobody looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aed_daemon import __version__
from aed_daemon.companions import Companion, Surroundings
from aed_daemon.events import Event
from aed_daemon.manifest import BACKGROUND, LOUD_SOUND
from aed_daemon.near_misses import Excursion, Excursions
from aed_daemon.observer import Observation
from aed_daemon.rules import ClassRule, class_rules
from aed_daemon.sinks.protocol import Health
from aed_daemon.spec import FeatureSpec
from aed_daemon.verdict import answer
from aed_daemon.web.access import Access, load_token
from aed_daemon.web.hub import Hub
from aed_daemon.web.memory import Memory, near_miss_of, sound_of
from aed_daemon.web.messages import LOG_MEL_RANGE, HopMessages, server_sent
from aed_daemon.web.neighbours import Neighbours
from aed_daemon.web.routes import Routes
from aed_daemon.web.server import Server

_RETUNE_S = 1.0
"""Thresholds can be set over MQTT; pages and near misses know them at most so much later."""


class _Source:
    """What is kept for a source between its decisions."""

    def __init__(self, rules: Sequence[ClassRule], zero_point: int, spec: FeatureSpec) -> None:
        self._zero_point, self._hop_length = zero_point, spec.hop_length
        self.messages = HopMessages(spec)
        self.tune(rules)

    def tune(self, rules: Sequence[ClassRule]) -> None:
        """Go on with other thresholds."""
        self.rules, self.tuned_s = tuple(rules), time.monotonic()
        self._excursions = Excursions(self.rules, self._zero_point, self._hop_length)
        self._end_sample = 0

    def near_misses(self, observation: Observation) -> list[Excursion]:
        """Take a decision and return what has just come to nothing."""
        done = self._excursions.finish() if observation.end_sample <= self._end_sample else []
        self._end_sample = observation.end_sample
        starts = [(one.slug, one.start_frame) for one in observation.decision.events if one.type == "start"]
        done += self._excursions.push(observation.end_sample, observation.decision.scores, starts)
        return [excursion for excursion in done if excursion.start_sample is None]

    def lose(self) -> list[Excursion]:
        """Return what had come to nothing when sound was lost."""
        return [excursion for excursion in self._excursions.finish() if excursion.start_sample is None]


class Web(Companion):
    """Serves the page.

    Parameters
    ----------
    around : Surroundings
        The daemon.

    Raises
    ------
    ConfigError
        For a token that cannot be read.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around, config = around, around.config.web
        token = load_token(config.token_file) if config.token_file else None
        access = Access(token, [*config.names, config.host])
        self._guarded = access.guarded
        manifest = around.classifier.manifest
        self._output, self._spec = manifest.output, manifest.spec
        self._neighbours = Neighbours.among(around.others)
        self._hub = Hub(config.max_viewers)
        self._memory = Memory()
        self._sources = {
            source.name: _Source(self._rules(source.name), self._output.zero_point, self._spec)
            for source in around.config.source
        }
        self._heard: dict[str, tuple[bool, str | None]] = {}
        self._health: dict[str, Any] | None = None
        self._was_watched = False
        self._started = time.time()
        routes = Routes(
            access, self._hub, self._memory, self.state, lambda: answer(around.figures()), self._neighbours
        )
        self._server = Server(routes.app(), config.host, config.port, config.max_viewers)

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def close(self, timeout_s: float) -> None:
        """End all pages' streams, then the server."""
        self._hub.close()
        self._server.close(timeout_s)

    # What happens

    def hop(self, observation: Observation) -> None:
        """Take a decision: its near misses always, the rest where somebody looks."""
        source = self._sources.get(observation.source)
        if source is None:
            return
        watched = self._watched()
        self._retune(observation.source, source, told=watched)
        self._missed(observation.source, source.near_misses(observation), observation.end_sample)
        if watched:
            self._hub.tell(source.messages.make(observation), keep=True)

    def gap(self, source: str, first_sample: int, end_sample: int) -> None:
        """Take that samples were lost."""
        if source in self._sources:
            self._missed(source, self._sources[source].lose(), end_sample)
        if self._watched():
            gap = {"source": source, "first": first_sample, "end": end_sample}
            self._hub.tell(server_sent("gap", gap), keep=True)

    def _missed(self, source: str, excursions: Sequence[Excursion], now_sample: int) -> None:
        for excursion in excursions:
            ago_s = max(0.0, (now_sample - excursion.first_sample) / self._spec.sample_rate_hz)
            near = near_miss_of(source, excursion, self._output.scale, ago_s)
            self._memory.near_miss(near)
            if self._hub.watched:
                self._hub.tell(server_sent("sound", near))

    def event(self, event: Event) -> None:
        """Take an event."""
        sound = sound_of(event)
        self._memory.event(sound)
        if self._watched():
            self._hub.tell(server_sent("sound", {**sound, "type": event.type, "published": event.published}))

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Take that a source can be heard, or why it cannot."""
        self._heard[source] = (online, reason)
        if self._watched():
            told = {"source": source, "online": online, "reason": reason}
            self._hub.tell(server_sent("availability", told))

    def health(self, health: Health) -> None:
        """Take the daemon's health."""
        self._health = {
            "at": time.time(),
            "real_time_factor": health.real_time_factor,
            "cpu_percent": health.cpu_percent,
            "pss_mb": health.pss_mb,
            "overruns": health.overruns,
            "shed_hops": health.shed_hops,
            "events": health.events,
            "uptime_s": health.uptime_s,
        }
        if self._watched():
            self._hub.tell(server_sent("health", self._health))

    def _watched(self) -> bool:
        watched = self._hub.watched
        if watched and not self._was_watched:
            self._hub.forget()
            for source in self._sources.values():
                source.messages.restart()
        self._was_watched = watched
        return watched

    # What holds

    def _rules(self, source: str) -> list[ClassRule]:
        return class_rules(self._around.detection(source), self._around.classifier.manifest)

    def _retune(self, name: str, source: _Source, *, told: bool) -> None:
        now_s = time.monotonic()
        if now_s - source.tuned_s < _RETUNE_S:
            return
        rules = tuple(self._rules(name))
        if rules == source.rules:
            source.tuned_s = now_s
        else:
            source.tune(rules)
            if told:
                thresholds = {"source": name, "thresholds": self._thresholds(rules)}
                self._hub.tell(server_sent("thresholds", thresholds))

    def _thresholds(self, rules: Sequence[ClassRule]) -> dict[str, dict[str, float]]:
        scale = self._output.scale
        return {rule.slug: {"on": rule.on_steps * scale, "off": rule.off_steps * scale} for rule in rules}

    def state(self) -> dict[str, Any]:
        """Return what a page has to know before it is told what happens; from any thread."""
        manifest, spec = self._around.classifier.manifest, self._spec
        states = self._around.source_states()
        return {
            "node": self._around.config.node,
            "version": __version__,
            "now": time.time(),
            "started": self._started,
            "model": {
                "name": manifest.name,
                "engine": self._around.classifier.engine,
                "exact": self._around.classifier.exact,
            },
            "features": {
                "rate_hz": spec.sample_rate_hz,
                "hop_length": spec.hop_length,
                "n_mels": spec.n_mels,
                "fmin_hz": spec.fmin_hz,
                "fmax_hz": spec.fmax_hz,
                "patch_frames": spec.patch_frames,
                "log_mel": LOG_MEL_RANGE,
            },
            "output": {"scale": self._output.scale, "zero_point": self._output.zero_point},
            "classes": [
                {"slug": label.slug, "label": label.label, "index": index}
                for index, label in enumerate(manifest.labels)
                if label.slug != BACKGROUND
            ],
            "loud_sound": LOUD_SOUND,
            "sources": [
                {
                    "name": config.name,
                    "type": config.type,
                    "state": states.get(config.name, "waiting"),
                    "reason": self._heard.get(config.name, (False, None))[1],
                    "thresholds": self._thresholds(self._sources[config.name].rules),
                }
                for config in self._around.config.source
            ],
            "health": self._health,
            "has": {
                "history": self._neighbours.history is not None,
                "clips": self._neighbours.recordings is not None,
                "metrics": self._neighbours.measured is not None,
                "token": self._guarded,
            },
        }
