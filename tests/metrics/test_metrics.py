"""Metrics of real runs, read with Prometheus's own parser."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.companion_kinds import METRICS
from aed_daemon.companions import Companion
from aed_daemon.config import Config
from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from aed_daemon.near_misses import NearMisses
from aed_daemon.observer import Observation
from aed_daemon.rules import class_rules
from tests.metrics.parts import Measured, parsed, promtool
from tests.mosquitto import Mosquitto
from tests.sounds import quiet, soundscape, write_wav
from tests.waiting import wait_for


class Notebook(Companion):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.hops: list[Observation] = []
        self.events: list[Event] = []

    def hop(self, observation: Observation) -> None:
        self.hops.append(observation)

    def event(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Notebook]:
    """A soundscape after a silence, heard to its end."""
    sound = np.concatenate([quiet(2.0, -95.0), soundscape(1, 24.0)])
    path = write_wav(tmp_path_factory.mktemp("heard") / "sound.wav", sound)
    source = {"type": "file", "name": 'the "porch"\\', "path": path, "realtime": False}
    # Thresholds so high that some sounds stay under them.
    detection = {"defaults": {"threshold_on": 0.97, "threshold_off": 0.2}}
    notebook = Notebook()
    run = Measured({"source": [source], "detection": detection}, [notebook])
    with run:
        run.join()
    return run, notebook


def test_counts_are_those_of_the_run(heard: tuple[Measured, Notebook]) -> None:
    run, notebook = heard
    name, values = run.config.source[0].name, run.values()
    gated = sum(hop.decision.gated for hop in notebook.hops)
    assert gated > 0
    assert values["aed_hops_total", name] == len(notebook.hops)
    assert values["aed_gated_hops_total", name] == gated
    assert values["aed_inference_seconds_count", name] == len(notebook.hops) - gated
    assert 0 < values["aed_inference_seconds_sum", name] < values["aed_busy_seconds_total", name]
    assert 0 < values["aed_features_seconds_sum", name] < values["aed_busy_seconds_total", name]
    assert values["aed_audio_seconds_total", name] == pytest.approx(26.0)
    assert values["aed_samples_total", name] == 26 * 16_000
    assert values["aed_level_dbfs", name] == notebook.hops[-1].decision.rms_cdb / 100
    assert values["aed_shed_hops_total", name] == values["aed_overruns_total", name] == 0
    assert (values["aed_source_up", name], values["aed_source_wanted", name]) == (0, 0), "it has ended"
    assert values["aed_companion_failures_total",] == values["aed_sink_failures_total",] == 0
    assert values["aed_memory_pss_bytes",] > 10e6
    assert values["aed_cpu_seconds_total",] > 0
    assert "_created" not in run.metrics.exposition()[0].decode()


def test_events_and_near_misses_are_counted_by_class(heard: tuple[Measured, Notebook]) -> None:
    run, notebook = heard
    name, values = run.config.source[0].name, run.values()
    starts = [event for event in notebook.events if event.type == "start"]
    manifest = load_classifier().manifest
    rules = class_rules(run.config.detection, manifest)
    near = NearMisses(rules, manifest.output.zero_point)
    missed = Counter(rule.slug for hop in notebook.hops for rule, _ in near.push(hop.decision))
    assert len(starts) > 1
    assert missed
    for slug in [rule.slug for rule in rules]:
        assert values["aed_events_total", slug, name] == sum(event.class_ == slug for event in starts)
        assert values["aed_near_misses_total", slug, name] == missed[slug]
    assert values["aed_onset_to_publish_seconds_count", name] == len(starts)
    latency_s = sum(event.latency_ms for event in starts) / 1_000
    assert values["aed_onset_to_publish_seconds_sum", name] == pytest.approx(latency_s)


def test_promtool_finds_nothing_against_them(heard: tuple[Measured, Notebook]) -> None:
    text, kind = heard[0].metrics.exposition()
    assert kind.startswith("text/plain; version=0.0.4")
    promtool("check", "metrics", text=text.decode())


def test_what_runs_is_told(heard: tuple[Measured, Notebook]) -> None:
    text = heard[0].metrics.exposition()[0].decode()
    classifier = load_classifier()
    (build,) = [labels for labels in parsed(text) if labels[0] == "aed_build_info"]
    assert {classifier.engine, classifier.manifest.name, classifier.manifest.sha256} < set(build)


@pytest.mark.system
def test_the_broker_and_what_waits_for_it(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", soundscape(1, 12.0))
    with Mosquitto(tmp_path / "broker") as broker:
        mqtt = {"enabled": True, "host": "127.0.0.1", "port": broker.port, "reconnect_max_s": 1.0}
        outbox = {"path": tmp_path / "outbox.db"}
        source = {"type": "file", "name": "porch", "path": path, "loop": True}
        with Measured({"source": [source], "mqtt": mqtt, "outbox": outbox}) as run:
            wait_for(lambda: run.value("aed_mqtt_connected") == 1, "the broker is there")
            assert run.value("aed_outbox_on_disk") == 1
            broker.stop()
            wait_for(lambda: run.value("aed_mqtt_connected") == 0, "the broker is gone")
            wait_for(lambda: (run.value("aed_outbox_depth") or 0) > 0, "events wait")
            assert (run.value("aed_outbox_oldest_seconds") or 0) > 0
            healthy, told = run.healthz()
            assert (healthy, told["broker"]) == (True, False), "events wait for it, and nothing is lost"
            broker.start()
            wait_for(lambda: run.value("aed_mqtt_reconnects_total") == 1, "it is back")
            wait_for(lambda: (run.value("aed_outbox_oldest_seconds") or 0) < 5, "nothing old waits")


def test_nobody_serves_them_by_default() -> None:
    config = Config.model_validate({"source": [{"type": "demo", "name": "porch"}]})
    assert METRICS.wanted(config) is None
