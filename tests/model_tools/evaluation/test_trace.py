"""A stream once through the shipped network; the tracker over what that said, as often as one likes."""

from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.inference import load_classifier
from aed_daemon.rules import class_rules
from model_tools.evaluation.trace import Samples, record, replay

SETTINGS = [
    {"defaults": {"threshold_on": 0.04, "threshold_off": 0.02, "end_after_s": 0.3}},
    {"defaults": {"threshold_on": 0.02, "threshold_off": 0.01, "mode": "instant"}, "hop_frames": 8},
    {
        "defaults": {"threshold_on": 0.02, "threshold_off": 0.01, "smoothing_s": 0.6, "min_duration_s": 0.3},
        "hop_frames": 31,
    },
    {
        "defaults": {
            "threshold_on": 0.03,
            "threshold_off": 0.02,
            "mode": "confirm",
            "confirm_s": 0.4,
            "cooldown_s": 2.0,
        }
    },
]


def bursts(seconds: float, seed: int) -> Samples:
    """Return noise and tones that come and go over a bed that is mostly under the gate."""
    rng = np.random.default_rng(seed)
    count = int(16_000 * seconds)
    samples = rng.standard_normal(count) * 2e-4
    for _ in range(int(seconds)):
        at, length = rng.integers(0, count), rng.integers(1_000, 12_000)
        part = samples[at : at + length]
        tone = np.sin(2 * np.pi * rng.uniform(200, 6_000) * np.arange(len(part)) / 16_000)
        part += rng.uniform(0.05, 0.6) * tone + rng.standard_normal(len(part)) * rng.uniform(0, 0.2)
    return np.asarray(samples, np.float32)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_replay_gives_the_events_of_the_detector(settings: dict[str, object]) -> None:
    classifier = load_classifier()
    detection = DetectionConfig.model_validate(settings)
    total = 0
    for seed in range(6):
        sound = bursts(20.0, seed)
        trace, events = record(classifier, detection, np.array_split(sound, 7))
        assert replay(trace, classifier.manifest, class_rules(detection, classifier.manifest)) == events
        total += len(events)
    assert total > 0, "the test would show nothing"


def test_events_are_what_the_detector_publishes() -> None:
    classifier = load_classifier()
    detection = DetectionConfig.model_validate(SETTINGS[1])
    sound = bursts(20.0, 1)
    detector = Detector(classifier, detection)
    starts = [
        (event.slug, event.start_frame * 160, decision.end_sample)
        for decision in detector.push(sound)
        for event in decision.events
        if event.type == "start" and event.slug != "loud_sound"
    ]
    trace, events = record(classifier, detection, [sound])
    assert [(event.slug, event.onset_sample, event.decision_sample) for event in events] == starts
    assert starts
    assert trace.samples == len(sound)
    assert len(trace.rms_cdb) == len(sound) // 160
    assert 0.0 <= trace.probabilities(classifier.manifest).min() <= 1.0


def test_a_stream_shorter_than_a_patch_has_no_hops() -> None:
    trace, events = record(load_classifier(), DetectionConfig(), [np.zeros(1_000, np.float32)])
    assert trace.scores.shape == (0, 11)
    assert events == []
