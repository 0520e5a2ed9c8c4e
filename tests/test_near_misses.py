"""Excursions decide as the tracker does, at every threshold; near misses are those without an event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.detector import Decision
from aed_daemon.features import Patch
from aed_daemon.near_misses import Excursion, Excursions, NearMisses
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule
from aed_daemon.tracker import Hop, Tracker
from tests.rules import HOP, PATCH, frames, rule

FRAME = 160


def scored(steps: int) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    return np.asarray([steps - 128], np.int8)


def starts(rule: ClassRule, scores: list[int]) -> list[int]:
    """Return the hops at which the tracker starts an event."""
    levels = LevelHistory(288)
    tracker = Tracker([rule], levels, -128, 500)
    found = []
    for hop, steps in enumerate(scores):
        first = hop * HOP
        levels.push(frames([-6_000] * (first + PATCH - levels.end)))
        events = tracker.push(Hop(first, first + PATCH, scored(steps)))
        found += [hop for event in events if event.type == "start"]
    return found


def excursions(rule: ClassRule, scores: list[int]) -> list[Excursion]:
    follower = Excursions([rule], -128, FRAME)
    done = []
    for hop, steps in enumerate(scores):
        done += follower.push((hop * HOP + PATCH) * FRAME, scored(steps))
    return done + follower.finish()


@settings(max_examples=300)
@given(
    scores=st.lists(st.one_of(st.integers(0, 255), st.integers(80, 110)), min_size=1, max_size=80),
    on=st.integers(90, 255),
    smoothing=st.integers(1, 3),
    confirm=st.integers(1, 4),
    end_after=st.sampled_from([0, 24, 48, 100]),
)
def test_each_excursion_that_reaches_a_threshold_is_one_event(
    scores: list[int], on: int, smoothing: int, confirm: int, end_after: int
) -> None:
    made = rule(on_steps=on, smoothing_hops=smoothing, confirm_hops=confirm, end_after_frames=end_after)
    reached = [one for one in excursions(made, scores) if one.strength >= on]
    begun = starts(made, scores)
    assert len(begun) == len(reached)
    for hop, one in zip(begun, reached, strict=True):
        assert one.first_sample <= (hop * HOP + PATCH) * FRAME <= one.last_sample


def test_an_excursion_has_its_best_score_and_what_was_held() -> None:
    made = rule(confirm_hops=2, end_after_frames=24)
    (one,) = excursions(made, [0, 95, 200, 120, 0, 0])
    assert (one.best, one.strength) == (200, 120)
    assert (one.first_sample, one.last_sample) == ((HOP + PATCH) * FRAME, (3 * HOP + PATCH) * FRAME)


def test_an_excursion_knows_the_event_that_came_of_it() -> None:
    follower = Excursions([rule()], -128, FRAME)
    follower.push(FRAME, scored(160), [("dog", 77)])
    assert [one.start_sample for one in follower.finish()] == [77]
    follower.push(FRAME, scored(160))
    assert [one.start_sample for one in follower.finish()] == [None]


def decision(hop: int, steps: int) -> Decision:
    patch = Patch(hop * HOP, np.zeros((96, 64), np.float32))
    end_sample = (hop * HOP + PATCH) * FRAME
    return Decision(end_sample, scored(steps), False, -6_000, -5_000, -7_000, False, [], patch)


def test_a_near_miss_is_told_once_it_is_over() -> None:
    quick = replace(rule(), end_after_frames=24)
    near = NearMisses([quick], -128)
    told = [near.push(decision(hop, steps)) for hop, steps in enumerate([0, 89, 100, 149, 80, 0, 150, 0, 0])]
    assert told == [[], [], [], [], [(quick, 149)], [], [], [], []]


def test_a_gap_ends_a_near_miss() -> None:
    near = NearMisses([rule()], -128)
    assert near.push(decision(3, 120)) == []
    assert near.push(decision(0, 0)) == [(rule(), 120)]
