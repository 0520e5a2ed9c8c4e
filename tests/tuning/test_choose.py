"""Thresholds are as low as the wanted rate allows, and no promise goes beyond what was logged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.manifest import TensorSpec
from aed_daemon.rules import steps_of
from aed_daemon.tuning.choose import DAY_S, choose, probability, support
from aed_daemon.tuning.evidence import Evidence
from tests.tuning.parts import HOUR_S, at, evidence

PER_HOUR = 24.0


def chosen(*found: Evidence, per_hour: float, assume_wrong: bool = True) -> list[int | None]:
    return [one.steps for one in choose(found, per_hour * PER_HOUR, assume_wrong=assume_wrong)]


def test_the_lowest_threshold_that_lets_no_more_through() -> None:
    dog = evidence(excursions=at(*range(100, 200)))
    assert chosen(dog, per_hour=1.0) == [190]
    assert chosen(dog, per_hour=0.1) == [199]
    assert chosen(dog, per_hour=0.0999) == [200]
    assert chosen(dog, per_hour=100.0) == [77], "never under threshold_off"


def test_classes_share_what_is_allowed() -> None:
    busy, quiet = evidence("dog", excursions=at(*range(100, 200))), evidence("rain", excursions=at(90, 91))
    assert chosen(busy, quiet, per_hour=1.0) == [192, 77], "rain leaves what it does not need"
    same = evidence("rain", excursions=at(*range(100, 200)))
    assert chosen(busy, same, per_hour=1.0) == [195, 195]


def test_classes_that_were_heard_for_different_times_are_compared_by_rate() -> None:
    short = evidence("rain", heard_s=HOUR_S, excursions=at(*range(100, 200)))
    long = evidence("dog", heard_s=10 * HOUR_S, excursions=at(*range(100, 200)))
    found = chosen(long, short, per_hour=4.0)
    assert found == [180, 198]


def test_what_saturates_has_no_threshold() -> None:
    assert chosen(evidence(excursions=at(*[255] * 50)), per_hour=1.0) == [None]


@given(
    strengths=st.lists(st.lists(st.integers(0, 255), max_size=40), min_size=1, max_size=4),
    per_hour=st.floats(0.01, 20.0),
)
def test_all_together_keep_to_the_rate(strengths: list[list[int]], per_hour: float) -> None:
    found = [evidence(f"c{n}", excursions=at(*values)) for n, values in enumerate(strengths)]
    proposals = choose(found, per_hour * PER_HOUR, assume_wrong=True)
    total = sum(one.false_alarms for one in proposals)
    assert total / 10 <= per_hour * (1 + 1e-6)
    for one in proposals:
        if one.steps is not None and one.steps > one.evidence.off_steps:
            lower = one.evidence.possibly_false()[one.steps - 1]
            assert lower > one.false_alarms, "a lower one would let more through"


def test_what_is_called_right_is_no_false_alarm() -> None:
    dog = evidence(excursions=at(*range(150, 200)), right=at(*range(170, 200)))
    (one,) = choose([dog], 1.0 * PER_HOUR, assume_wrong=True)
    assert (one.steps, one.false_alarms, one.kept) == (160, 10, 1.0)
    (strict,) = choose([dog], 0.05 * PER_HOUR, assume_wrong=True)
    assert (strict.steps, strict.kept) == (170, 1.0)


def test_labels_that_settle_it() -> None:
    dog = evidence(excursions=at(*range(150, 200)), right=at(*range(170, 200)), wrong=at(*range(150, 170)))
    (one,) = choose([dog], 1.0 * PER_HOUR, assume_wrong=False)
    assert (one.decided, one.steps, one.to_label) == (True, 160, 0)


def test_without_labels_nothing_is_settled() -> None:
    dog = evidence(excursions=at(*range(150, 200)))
    (one,) = choose([dog], 1.0 * PER_HOUR, assume_wrong=False)
    assert (one.decided, one.steps, one.least_steps, one.to_label) == (False, 190, 77, 50)


def test_a_few_without_a_label_may_not_matter() -> None:
    dog = evidence(excursions=at(*range(150, 200)), wrong=at(*range(151, 200)))
    (one,) = choose([dog], 1.0 * PER_HOUR, assume_wrong=False)
    assert (one.decided, one.steps) == (True, 190)


def test_a_class_whose_labels_are_complete_is_settled_beside_one_without() -> None:
    dog = evidence("dog", excursions=at(*range(150, 200)), wrong=at(*range(150, 200)))
    rain = evidence("rain", excursions=at(*range(150, 200)))
    first, second = choose([dog, rain], 1.0 * PER_HOUR, assume_wrong=False)
    assert (first.decided, second.decided) == (True, False)
    assert first.steps == 195


def test_a_promise_needs_hours() -> None:
    found = choose([evidence(excursions=at(*range(100, 200)))], PER_HOUR, assume_wrong=True)
    enough = support(found, PER_HOUR)
    assert (enough.enough, enough.needed_s, enough.false_alarms) == (True, 6 * HOUR_S, 10)
    least, likely, most = enough.per_day
    assert (round(least), round(likely), round(most)) == (13, 24, 41)
    daily = support(choose([evidence()], 1.0, assume_wrong=True), 1.0)
    assert not daily.enough
    assert daily.needed_s == 6 * DAY_S


@pytest.mark.parametrize("scale", [1 / 256, 0.0039, 0.00390626])
def test_a_threshold_that_is_written_is_read_as_the_same_steps(scale: float) -> None:
    output = TensorSpec(shape=(1, 11), dtype="int8", scale=scale, zero_point=-128)
    for steps in range(1, 256):
        text = f"{probability(steps, scale)}"
        assert steps_of(float(text), output) == steps
        assert len(text) <= 6


def test_the_share_of_true_sounds() -> None:
    dog = evidence(excursions=at(150, 160, 170), right=at(150, 160, 170), missed=at(0, 90))
    kept = dog.kept()
    assert kept is not None
    assert [round(float(kept[steps]), 2) for steps in (77, 91, 160, 171)] == [0.8, 0.6, 0.4, 0.0]
    assert evidence().kept() is None
    assert (np.diff(kept) <= 0).all()
