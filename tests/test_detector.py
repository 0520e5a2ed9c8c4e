"""The chain from samples to decisions, with the shipped model and both engines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Decision, Detector
from aed_daemon.features import log_mel
from aed_daemon.inference import available_engines, load_classifier, quantize
from aed_daemon.manifest import ModelManifest
from aed_daemon.tracker import TrackEvent

Samples = NDArray[np.float32]
EAGER = DetectionConfig.model_validate(
    {"defaults": {"threshold_on": 0.02, "threshold_off": 0.01, "mode": "instant", "end_after_s": 0.3}}
)
"""Thresholds so low that noise gives many events."""


def bursts(seconds: float, seed: int = 0) -> Samples:
    """Return noise and tones that come and go over a quiet bed."""
    rng = np.random.default_rng(seed)
    count = int(16_000 * seconds)
    samples = rng.standard_normal(count) * 1e-3
    for _ in range(int(seconds * 2)):
        at, length = rng.integers(0, count), rng.integers(1_000, 12_000)
        part = samples[at : at + length]
        hz = rng.uniform(200, 6_000)
        part += rng.uniform(0.05, 0.6) * np.sin(2 * np.pi * hz * np.arange(len(part)) / 16_000)
        part += rng.standard_normal(len(part)) * rng.uniform(0, 0.2)
    return np.asarray(samples, np.float32)


class CountingClassifier:
    """Passes patches on to the shipped model and counts them."""

    def __init__(self) -> None:
        self._inner = load_classifier()
        self.manifest: ModelManifest = self._inner.manifest
        self.engine, self.exact = self._inner.engine, self._inner.exact
        self.calls = 0

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        self.calls += 1
        return self._inner.scores(rows)


def test_who_times_the_stages_changes_nothing() -> None:
    samples, laps = bursts(3.0), list[str]()
    timed = Detector(load_classifier(), EAGER, lap=laps.append)
    untimed = Detector(load_classifier(), EAGER)
    decisions, events = everything(timed, [samples[:20_000], samples[20_000:]])
    assert events == everything(untimed, [samples[:20_000], samples[20_000:]])[1]
    seen = sum(not decision.gated for decision in decisions)
    assert seen > 1
    assert laps.count("features") == 2
    assert laps.count("inference") == seen
    assert laps[::2] == ["begin"] * (seen + 2)


def everything(detector: Detector, pieces: list[Samples]) -> tuple[list[Decision], list[TrackEvent]]:
    decisions = [decision for piece in pieces for decision in detector.push(piece)]
    return decisions, [e for d in decisions for e in d.events] + detector.finish("shutdown")


@settings(deadline=None, max_examples=15)
@given(sizes=st.lists(st.integers(0, 9_000), min_size=1, max_size=6).filter(any), seed=st.integers(0, 50))
def test_any_chunking_gives_the_same_events(sizes: list[int], seed: int) -> None:
    samples = bursts(6.0, seed)
    classifier = load_classifier()
    whole, expected = everything(Detector(classifier, EAGER), [samples])
    pieces, at = [], 0
    while at < len(samples):
        for size in sizes:
            pieces.append(samples[at : at + size])
            at += size
    decisions, events = everything(Detector(classifier, EAGER), pieces)
    assert events == expected
    assert [(d.end_sample, d.gated, d.floor_cdb) for d in decisions] == [
        (d.end_sample, d.gated, d.floor_cdb) for d in whole
    ]
    assert all(np.array_equal(a.scores, b.scores) for a, b in zip(decisions, whole, strict=True))


def test_the_sound_of_that_test_has_events() -> None:
    _, events = everything(Detector(load_classifier(), EAGER), [bursts(6.0)])
    assert len(events) >= 6


def test_decisions_fall_where_the_detector_says() -> None:
    detector = Detector(load_classifier(), DetectionConfig(hop_frames=24))
    assert detector.next_decision == 95 * 160 + 456
    assert detector.push(np.zeros(detector.next_decision - 1, np.float32)) == []
    (first,) = detector.push(np.zeros(1, np.float32))
    assert first.end_sample == 95 * 160 + 456
    assert detector.next_decision == first.end_sample + 24 * 160
    assert len(detector.push(np.zeros(24 * 160 - 1, np.float32))) == 0
    assert len(detector.push(np.zeros(1, np.float32))) == 1


def test_scores_are_those_of_the_patch() -> None:
    samples = bursts(3.0)
    classifier = load_classifier()
    detector = Detector(
        classifier, DetectionConfig.model_validate({"hop_frames": 10, "gate": {"enabled": False}})
    )
    rows = log_mel(samples, classifier.manifest.spec)
    for index, decision in enumerate(detector.push(samples)):
        assert np.array_equal(decision.scores, classifier.scores(rows[10 * index : 10 * index + 96]))


def test_silence_is_gated_and_spares_the_network() -> None:
    classifier = CountingClassifier()
    detector = Detector(classifier, DetectionConfig())
    silent = detector.push(np.zeros(48_000, np.float32))
    assert all(decision.gated for decision in silent)
    assert all((decision.scores == -128).all() for decision in silent)
    assert all(decision.rms_cdb == -12_000 for decision in silent)
    assert classifier.calls == 0
    loud = detector.push(bursts(2.0))
    assert not loud[-1].gated
    assert classifier.calls > 0


def test_the_gate_can_be_off() -> None:
    classifier = CountingClassifier()
    detector = Detector(classifier, DetectionConfig.model_validate({"gate": {"enabled": False}}))
    decisions = detector.push(np.zeros(48_000, np.float32))
    assert classifier.calls == len(decisions)
    assert not any(decision.gated for decision in decisions)


def test_after_a_reset_nothing_is_left() -> None:
    classifier = load_classifier()
    used, fresh = Detector(classifier, EAGER), Detector(classifier, EAGER)
    used.push(bursts(4.321, seed=3))
    used.finish("gap")
    used.reset()
    samples = bursts(4.0, seed=4)
    _, events = everything(used, [samples])
    _, expected = everything(fresh, [samples])
    plain = [event._replace(track=0) for event in events]
    assert plain == [event._replace(track=0) for event in expected]
    assert used.next_decision == fresh.next_decision


@pytest.mark.parametrize("engine", ["litert", "tflite"])
def test_engines_agree_within_what_they_promise(engine: str) -> None:
    if engine not in available_engines():
        pytest.skip(f"{engine} is not installed; make install brings it")
    chosen = load_classifier(engine=engine)
    exact = load_classifier(engine="tflite")
    rows = log_mel(bursts(4.0), chosen.manifest.spec)
    for at in range(0, len(rows) - 96, 24):
        ours = chosen.scores(rows[at : at + 96]).astype(int)
        difference = abs(ours - exact.scores(rows[at : at + 96]))
        assert difference.max() <= (0 if chosen.exact else 26)


def test_quantisation_rounds_and_saturates() -> None:
    values = np.array([-1e9, -0.5, 0.0, 0.24, 0.26, 0.75, 1e9], np.float32)
    assert quantize(values, 0.5, 3).tolist() == [-128, 2, 3, 3, 4, 5, 127]
