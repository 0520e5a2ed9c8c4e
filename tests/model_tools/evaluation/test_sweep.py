from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.inference import load_classifier
from aed_daemon.rules import class_rules
from model_tools.evaluation.sweep import off_steps, starts_at
from model_tools.evaluation.trace import Trace, replay

MANIFEST = load_classifier().manifest
STEPS = (60, 100, 153, 200, 240, 255)


def random_trace(seed: int, hop_frames: int) -> Trace:
    """Return scores that wander, as sounds that come and go make them, and levels."""
    rng = np.random.default_rng(seed)
    hops = 400
    scores = np.zeros((hops, 11))
    for _ in range(60):
        at, length, which = rng.integers(hops), rng.integers(1, 25), rng.integers(0, 10)
        scores[at : at + length, which] = rng.uniform(0.2, 1.0)
    scores += rng.normal(0.0, 0.08, scores.shape)
    levels = rng.integers(-6_000, -2_000, hops * hop_frames + 97)
    return Trace((np.clip(scores, 0, 1) * 255 - 128).astype(np.int8), levels.astype(np.int16), 0, hop_frames)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"defaults": {"mode": "confirm", "confirm_s": 1.0, "end_after_s": 0.2}},
        {"defaults": {"smoothing_s": 1.2, "end_after_s": 0.5}},
        {"defaults": {"cooldown_s": 3.0, "min_duration_s": 1.5}, "hop_frames": 48},
    ],
)
def test_the_counts_are_those_of_a_whole_replay_at_each_threshold(settings: dict[str, object]) -> None:
    detection = DetectionConfig.model_validate(settings)
    rules = class_rules(detection, MANIFEST)
    for seed in range(4):
        trace = random_trace(seed, detection.hop_frames)
        expected = np.zeros((len(rules), len(STEPS)), int)
        for column, on in enumerate(STEPS):
            tried = [replace(rule, on_steps=on, off_steps=off_steps(on)) for rule in rules]
            for event in replay(trace, MANIFEST, tried):
                expected[[rule.slug for rule in rules].index(event.slug), column] += 1
        assert np.array_equal(starts_at(trace, MANIFEST, rules, STEPS), expected)
        assert expected[:, 0].sum() > 10, "the test would show little"
        assert expected[:, 0].sum() > expected[:, -1].sum()


def test_a_quiet_trace_starts_nothing() -> None:
    quiet = replace(random_trace(0, 24), scores=np.full((400, 11), -128, np.int8))
    rules = class_rules(DetectionConfig(), MANIFEST)
    assert not starts_at(quiet, MANIFEST, rules, STEPS).any()
