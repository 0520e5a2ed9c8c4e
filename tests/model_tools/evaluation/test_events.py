from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_tools.evaluation.events import Event, most_pairs, score_events
from tests.golden.events.make import CASES, FOLDER, SLUGS, random_events, sed_eval_counts


def ours(there: list[Event], found: list[Event], *, offsets: bool) -> dict[str, Any]:
    scores = score_events(there, found, SLUGS, offset_share=0.5 if offsets else None)
    return {
        "counts": {slug: [c.there, c.found, c.matched] for slug, c in scores.classes.items()},
        "f1": {slug: counts.f1 for slug, counts in scores.classes.items()},
        "f1_macro": scores.macro_f1,
    }


def assert_equal(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert mine["counts"] == theirs["counts"]
    assert mine["f1"] == pytest.approx(theirs["f1"])
    assert mine["f1_macro"] == pytest.approx(theirs["f1_macro"])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["onset", "onset_offset"])
def test_what_sed_eval_said(name: str, kind: str) -> None:
    case = json.loads((FOLDER / name / "input.json").read_text())
    expected = json.loads((FOLDER / name / "expected.json").read_text())[kind]
    there, found = ([Event(*row) for row in rows] for rows in (case["there"], case["points"][0]))
    assert_equal(ours(there, found, offsets=kind == "onset_offset"), expected)


@pytest.mark.parametrize("seed", range(10, 40))
def test_what_sed_eval_says(seed: int) -> None:
    pytest.importorskip("sed_eval", reason="sed_eval is not installed; its stored answers are compared")
    there, points = random_events(seed, 30, 2)
    for offsets in (False, True):
        theirs = sed_eval_counts(there, points[0], offsets=offsets)
        assert_equal(ours(there, points[0], offsets=offsets), theirs)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=5))
def test_the_matching_is_the_largest(allowed: list[list[bool]]) -> None:
    rows = range(len(allowed))
    columns = [*range(4), *([None] * len(allowed))]
    best = max(
        sum(allowed[row][column] for row, column in zip(rows, order, strict=False) if column is not None)
        for order in set(permutations(columns, len(allowed)))
    )
    assert most_pairs(allowed) == best


def event(onset_s: float, slug: str = "dog", scene: int = 0, offset_s: float | None = None) -> Event:
    return Event(scene, slug, onset_s, onset_s + 1.0 if offset_s is None else offset_s)


def test_two_answers_for_one_event_are_one_hit_and_one_false_alarm() -> None:
    counts = score_events([event(1.0)], [event(0.8), event(1.2)], SLUGS).classes["dog"]
    assert (counts.matched, counts.precision, counts.recall) == (1, 0.5, 1.0)


def test_class_scene_and_collar_matter() -> None:
    there = [event(1.0)]
    for answer, matched in [
        (event(1.5), 1),
        (event(1.51), 0),
        (event(0.5), 1),
        (event(1.0, "rain"), 0),
        (event(1.0, scene=1), 0),
    ]:
        assert score_events(there, [answer], SLUGS).classes["dog"].matched == matched


def test_a_missed_class_counts_and_an_absent_one_does_not() -> None:
    scores = score_events([event(1.0), event(5.0, "rain")], [event(1.0)], SLUGS)
    assert scores.macro_f1 == 0.5
    assert scores.as_dict()["f1"] == {"dog": 1.0, "rain": 0.0}
    assert score_events([], [], SLUGS).macro_f1 == 0.0
