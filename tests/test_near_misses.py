from __future__ import annotations

import numpy as np

from aed_daemon.detector import Decision
from aed_daemon.features import Patch
from aed_daemon.near_misses import NearMiss, NearMisses
from aed_daemon.tracker import Sound, TrackEvent
from tests.rules import rule

DOG = rule(slug="dog", index=0, on_steps=100, off_steps=50)
RAIN = rule(slug="rain", index=1, on_steps=200, off_steps=150)
ZERO = -128


def decision(hop: int, dog: int, rain: int = 0, events: list[TrackEvent] | None = None) -> Decision:
    scores = np.array([dog + ZERO, rain + ZERO], np.int8)
    patch = Patch(0, np.zeros((96, 64), np.float32))
    return Decision(16_000 + hop * 3_840, scores, False, 0, 0, 0, False, events or [], patch)


def told(kind: str, slug: str) -> TrackEvent:
    return TrackEvent(kind, slug, slug, 0, 0, None, 0.0, 0.0, 0.0, Sound(0, 0, 0, False), None)  # type: ignore[arg-type]


def run(*decisions: Decision) -> list[NearMiss]:
    near = NearMisses([DOG, RAIN], ZERO)
    return [miss for one in decisions for miss in near.push(one)]


def test_a_miss_is_told_once_with_its_best_when_it_is_over() -> None:
    assert run(*(decision(hop, dog) for hop, dog in enumerate([0, 60, 90, 70]))) == []
    missed = run(*(decision(hop, dog) for hop, dog in enumerate([0, 60, 90, 70, 49, 0])))
    assert missed == [NearMiss(DOG, 90)]


def test_what_stays_far_is_none() -> None:
    assert run(*(decision(hop, 49, 149) for hop in range(4)), decision(4, 0)) == []


def test_classes_are_told_apart() -> None:
    assert run(decision(0, 60, 180), decision(1, 60, 0), decision(2, 0)) == [
        NearMiss(RAIN, 180),
        NearMiss(DOG, 60),
    ]


def test_one_over_the_threshold_that_started_nothing_was_too_short() -> None:
    assert run(decision(0, 120), decision(1, 0)) == [NearMiss(DOG, 120)]


def test_a_sound_that_started_is_none_until_it_has_ended() -> None:
    started = [decision(0, 60), decision(1, 120, events=[told("start", "dog")]), decision(2, 0)]
    again = [decision(3, 90), decision(4, 0)]
    assert run(*started, *again) == []
    ended = [decision(5, 0, events=[told("end", "dog")]), decision(6, 90), decision(7, 0)]
    assert run(*started, *again, *ended) == [NearMiss(DOG, 90)]


def test_lost_sound_ends_what_was_near_and_what_was_open() -> None:
    before = [decision(8, 60, 210, events=[told("start", "rain")])]
    assert run(*before, decision(0, 0, 180), decision(1, 0, 0)) == [NearMiss(RAIN, 180)]


def test_thresholds_may_change_meanwhile() -> None:
    near = NearMisses([DOG], ZERO)
    assert near.push(decision(0, 40)) == []
    easier = rule(slug="dog", index=0, on_steps=60, off_steps=30)
    near.retune([easier])
    assert near.push(decision(1, 40)) == []
    assert near.push(decision(2, 0)) == [NearMiss(easier, 40)]
