"""Metrics: counts and times what the daemon does, and says so in Prometheus's text format."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from aed_daemon import __version__
from aed_daemon.companions import Companion, Surroundings
from aed_daemon.detector import Stage
from aed_daemon.events import Event
from aed_daemon.manifest import LOUD_SOUND, TEST_EVENT
from aed_daemon.metrics.standing import Standing
from aed_daemon.near_misses import NearMisses
from aed_daemon.observer import Observation
from aed_daemon.rules import ClassRule, class_rules
from aed_daemon.sinks.protocol import Health

_WORK_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_LATENCY_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_RETUNE_S = 1.0
"""Thresholds can be set over MQTT; near misses are judged by what they were at most so long ago."""


class Metrics(Companion):
    """Keeps the metrics of a daemon, in a registry of its own.

    Parameters
    ----------
    around : Surroundings
        The daemon.

    Notes
    -----
    What other parts count already is read when `exposition` is called; the rest costs some
    microseconds a hop.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        manifest = around.classifier.manifest
        self._zero_point = manifest.output.zero_point
        self._near: dict[str, NearMisses] = {}
        self._rules: dict[str, list[ClassRule]] = {}
        self._retuned_s: dict[str, float] = {}
        self._begun_s: dict[str, float] = {}
        self._own()
        for source in around.config.source:
            self._prepare(source.name)
        self.registry.register(Standing(around.figures))

    def _own(self) -> None:
        # Of no use: `aed_start_time_seconds` says when the counters began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        manifest = self._around.classifier.manifest
        own: dict[str, Any] = {"registry": self.registry}
        build = Info("aed_build", "What runs.", **own)
        build.info(
            {
                "version": __version__,
                "model": manifest.name,
                "model_sha256": manifest.sha256,
                "engine": self._around.classifier.engine,
            }
        )
        by_source: dict[str, Any] = {"labelnames": ["source"], **own}
        by_class: dict[str, Any] = {"labelnames": ["source", "class"], **own}
        self._events = Counter("aed_events_total", "Sounds that started.", **by_class)
        self._near_misses = Counter(
            "aed_near_misses_total", "Sounds over threshold_off that never started.", **by_class
        )
        self._clipped = Counter("aed_clipped_hops_total", "Hops with samples at full scale.", **by_source)
        self._level = Gauge("aed_level_dbfs", "Loudest 10 ms of the last hop.", **by_source)
        self._floor = Gauge("aed_noise_floor_dbfs", "Adaptive noise floor.", **by_source)
        self._last_hop = Gauge("aed_last_hop_timestamp_seconds", "Time of the last decision.", **by_source)
        self._work = {
            "features": Histogram(
                "aed_features_seconds",
                "Time for log-mel and level of a piece of sound: a hop, or up to 1 s where it lags.",
                buckets=_WORK_S,
                **by_source,
            ),
            "inference": Histogram(
                "aed_inference_seconds", "Time of the network for a hop.", buckets=_WORK_S, **by_source
            ),
        }
        self._latency = Histogram(
            "aed_onset_to_publish_seconds",
            "From a sound's onset to its event.",
            buckets=_LATENCY_S,
            **by_source,
        )
        self._real_time = Gauge(
            "aed_real_time_factor", "Processing time over audio time since the last health message.", **own
        )

    def _prepare(self, source: str) -> None:
        """Begin every series of a source at 0, so that a first event is an increase."""
        detection = self._around.detection(source)
        rules = class_rules(detection, self._around.classifier.manifest)
        self._rules[source], self._near[source] = rules, NearMisses(rules, self._zero_point)
        for rule in rules:
            self._events.labels(source, rule.slug)
            self._near_misses.labels(source, rule.slug)
        if detection.loud_sound.enabled:
            self._events.labels(source, LOUD_SOUND)
        for family in (self._clipped, *self._work.values(), self._latency):
            family.labels(source)

    # For whoever serves them

    def exposition(self) -> tuple[bytes, str]:
        """Return all metrics in the text format, and its content type; from any thread."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    # What the daemon tells

    def stage(self, source: str, stage: Stage) -> None:
        """Time a stage."""
        now_s = time.perf_counter()
        if stage != "begin":
            self._work[stage].labels(source).observe(now_s - self._begun_s.get(source, now_s))
        self._begun_s[source] = now_s

    def hop(self, observation: Observation) -> None:
        """Take level and near misses of a decision."""
        source, decision = observation.source, observation.decision
        self._level.labels(source).set(decision.rms_cdb / 100)
        self._floor.labels(source).set(decision.floor_cdb / 100)
        self._last_hop.labels(source).set_to_current_time()
        if decision.clipped:
            self._clipped.labels(source).inc()
        if source not in self._near:
            return
        self._retune(source)
        for rule, _ in self._near[source].push(decision):
            self._near_misses.labels(source, rule.slug).inc()

    def _retune(self, source: str) -> None:
        """Judge by the thresholds of the moment; what is near when they change is forgotten."""
        now_s = time.monotonic()
        if now_s - self._retuned_s.get(source, 0.0) <= _RETUNE_S:
            return
        self._retuned_s[source] = now_s
        rules = class_rules(self._around.detection(source), self._around.classifier.manifest)
        if rules != self._rules[source]:
            self._rules[source], self._near[source] = rules, NearMisses(rules, self._zero_point)

    def event(self, event: Event) -> None:
        """Count a start, and how long it took."""
        if event.type != "start":
            return
        self._events.labels(event.source, event.class_).inc()
        if event.class_ != TEST_EVENT:
            self._latency.labels(event.source).observe(event.latency_ms / 1_000)

    def health(self, health: Health) -> None:
        """Take the real-time factor."""
        if health.real_time_factor is not None:
            self._real_time.set(health.real_time_factor)
