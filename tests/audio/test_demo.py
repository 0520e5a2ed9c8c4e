"""The demo's soundscape: reproducible, true to its ground truth, and scored by fair rules."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import model_tools
from aed_daemon.audio.demo import CLASSES, DISTRACTORS, DemoEvent, DemoSource
from aed_daemon.audio.demo_score import Detection, match


def listen(source: DemoSource, seconds: float) -> NDArray[np.float32]:
    source.open()
    parts: list[NDArray[np.float32]] = []
    while sum(map(len, parts)) < seconds * 16_000:
        block = source.read()
        if block is None:
            break
        assert block.first_sample == sum(map(len, parts))
        parts.append(block.samples)
    source.close()
    return np.concatenate(parts)[:, 0]


def level_dbfs(samples: NDArray[np.float32]) -> float:
    return float(20 * np.log10(np.sqrt((samples.astype(np.float64) ** 2).mean())))


@pytest.fixture(scope="module")
def one_pass() -> NDArray[np.float32]:
    return listen(DemoSource(seed=1, loop=False, speed=None), 1e6)


def test_every_class_and_every_distractor_is_in_a_pass_and_the_first_is_soon() -> None:
    source = DemoSource(seed=1)
    assert sorted(event.slug for event in source.ground_truth()) == sorted(CLASSES)
    assert sorted(event.slug for event in source.distractors()) == sorted(DISTRACTORS)
    assert source.ground_truth()[0].onset_s <= 1.5


def test_the_sound_is_where_the_truth_says_and_quiet_elsewhere(one_pass: NDArray[np.float32]) -> None:
    source = DemoSource(seed=1, loop=False)
    assert np.isfinite(one_pass).all()
    assert np.abs(one_pass).max() < 0.65
    quiet_from = 0.0
    for event in sorted(source.ground_truth() + source.distractors(), key=lambda event: event.onset_s):
        before = one_pass[round(quiet_from * 16_000) : round(event.onset_s * 16_000)]
        assert level_dbfs(before) == pytest.approx(-64.0, abs=0.5)
        during = one_pass[round(event.onset_s * 16_000) : round(event.offset_s * 16_000)]
        assert np.abs(during).max() > 10 ** (-10.5 / 20)
        beginning = during[: round(0.1 * 16_000)]
        if event.slug != "sea_waves":  # which rises slowly
            assert level_dbfs(beginning) > -64.0 + 6, event
        quiet_from = event.offset_s
    assert len(one_pass) / 16_000 > quiet_from + 2.0


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(one_pass: NDArray[np.float32]) -> None:
    again = listen(DemoSource(seed=1, loop=True, speed=None), 6.0)
    np.testing.assert_array_equal(again, one_pass[: len(again)])
    other = listen(DemoSource(seed=2, loop=True, speed=None), 6.0)
    assert not np.array_equal(again, other)


def test_a_loop_goes_on_with_new_sounds_and_its_truth_with_it() -> None:
    source = DemoSource(seed=3, loop=True)
    once, long = source.ground_truth(), source.ground_truth(300.0)
    assert long[: len(once)] == once
    assert len(long) > 2 * len(once)
    assert long[-1].onset_s < 300.0
    orders = [[event.slug for event in long[at : at + 10]] for at in (0, 10)]
    assert orders[0] != orders[1]
    assert DemoSource(seed=3, loop=False).ground_truth(300.0) == once


def test_close_ends_it() -> None:
    source = DemoSource(speed=0.001)
    source.close()
    source.open()
    assert source.read() is None


def test_training_never_hears_it() -> None:
    root = Path(model_tools.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                assert not name.startswith("aed_daemon.audio.demo"), f"{path}: {name}"
                assert not name.startswith("aed_daemon.audio.synth"), f"{path}: {name}"


TRUTH = [DemoEvent("dog", 1.0, 3.0), DemoEvent("rain", 6.0, 10.0), DemoEvent("dog", 12.0, 13.0)]


def test_hits_misses_false_starts_and_repeats() -> None:
    detections = [
        Detection("rain", 6.4),
        Detection("dog", 0.6),
        Detection("dog", 2.0),
        Detection("rooster", 6.5),
        Detection("dog", 9.0),
    ]
    score = match(TRUTH, detections, collar_s=0.5)
    assert score.hits == [(TRUTH[0], detections[1]), (TRUTH[1], detections[0])]
    assert score.misses == [TRUTH[2]]
    assert score.false_starts == [detections[3], detections[4]]
    assert score.repeats == [detections[2]]


def test_nothing_detected_is_all_missed() -> None:
    assert match(TRUTH, []).misses == TRUTH


times = st.floats(0, 30, allow_nan=False)
slugs = st.sampled_from(["dog", "rain"])


@settings(deadline=None)
@given(
    truth=st.lists(st.builds(lambda slug, at, length: DemoEvent(slug, at, at + length), slugs, times, times)),
    detections=st.lists(st.builds(Detection, slugs, times)),
)
def test_everything_is_accounted_for_once(truth: list[DemoEvent], detections: list[Detection]) -> None:
    truth = list(dict.fromkeys(truth))
    score = match(truth, detections, collar_s=0.3)
    assert sorted(score.misses + [event for event, _ in score.hits]) == sorted(truth)
    reported = [detection for _, detection in score.hits] + score.false_starts + score.repeats
    assert sorted(reported) == sorted(detections)
