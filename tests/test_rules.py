from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import BACKGROUND, TensorSpec
from aed_daemon.rules import class_rules, gate_cdb, loud_rule, steps_of
from tests.manifests import a_manifest

SOFTMAX = TensorSpec(shape=(1, 11), scale=1 / 256, zero_point=-128)


def rules(**detection: Any) -> dict[str, Any]:
    config = DetectionConfig.model_validate(detection)
    return {rule.slug: rule for rule in class_rules(config, a_manifest())}


def first_label() -> Any:
    return next(label for label in a_manifest().labels if label.slug != BACKGROUND)


@given(st.floats(0.001, 1.0))
def test_a_threshold_in_steps_is_the_least_that_reaches_it(probability: float) -> None:
    steps = steps_of(probability, SOFTMAX)
    assert (steps - 1) * SOFTMAX.scale < probability + 1e-6
    assert steps * SOFTMAX.scale >= min(probability, 255 / 256) - 1e-6


def test_a_threshold_of_one_can_be_reached() -> None:
    assert steps_of(1.0, SOFTMAX) == 255


def test_the_background_is_no_class() -> None:
    assert BACKGROUND not in rules()


def test_the_models_defaults_hold_where_nothing_is_said() -> None:
    label = first_label()
    rule = rules()[label.slug]
    assert rule.on_steps == steps_of(label.threshold_on, a_manifest().output)
    assert (rule.smoothing_hops, rule.cooldown_frames, rule.end_after_frames) == (1, 0, 100)


def test_the_class_wins_over_the_defaults_and_these_over_the_model() -> None:
    slug = first_label().slug
    rule = rules(defaults={"threshold_on": 0.9, "cooldown_s": 3.0}, classes={slug: {"threshold_on": 0.8}})[
        slug
    ]
    assert rule.on_steps == steps_of(0.8, a_manifest().output)
    assert rule.cooldown_frames == 300


def test_a_class_can_be_left_out_alone_or_chosen_alone() -> None:
    slug = first_label().slug
    assert slug not in rules(classes={slug: {"enabled": False}})
    assert list(rules(defaults={"enabled": False}, classes={slug: {"enabled": True}})) == [slug]


@pytest.mark.parametrize(
    ("seconds", "hop_frames", "hops"),
    [(0.0, 24, 1), (0.24, 24, 2), (0.25, 24, 3), (1.0, 10, 11), (1.0, 96, 3)],
)
def test_confirm_counts_seconds_not_hops(seconds: float, hop_frames: int, hops: int) -> None:
    """n hops in a row span n - 1 hop times."""
    slug = first_label().slug
    own = {"mode": "confirm", "confirm_s": seconds}
    assert rules(hop_frames=hop_frames, defaults=own)[slug].confirm_hops == hops


def test_instant_ignores_confirm_s() -> None:
    slug = first_label().slug
    assert rules(defaults={"mode": "instant", "confirm_s": 5.0})[slug].confirm_hops == 1


def test_off_never_lies_above_on() -> None:
    slug = first_label().slug
    rule = rules(classes={slug: {"threshold_on": 0.1}})[slug]
    assert rule.off_steps <= rule.on_steps


def test_the_gate_is_the_models_unless_it_is_set_or_off() -> None:
    manifest = a_manifest()
    own = round(manifest.gate.open_dbfs * 100), round(manifest.gate.close_dbfs * 100)
    assert gate_cdb(DetectionConfig(), manifest) == own
    set_to = DetectionConfig.model_validate({"gate": {"open_dbfs": -50.0, "close_dbfs": -55.0}})
    assert gate_cdb(set_to, manifest) == (-5_000, -5_500)
    off = DetectionConfig.model_validate({"gate": {"enabled": False}})
    assert gate_cdb(off, manifest)[0] < -12_000


def test_the_loud_sound_can_be_off() -> None:
    off = DetectionConfig.model_validate({"loud_sound": {"enabled": False}})
    assert loud_rule(off, a_manifest()) is None
    rule = loud_rule(DetectionConfig(), a_manifest())
    assert rule is not None
    assert (rule.snr_cdb, rule.min_duration_frames) == (2_000, 5)
