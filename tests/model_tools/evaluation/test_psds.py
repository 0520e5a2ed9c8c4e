from __future__ import annotations

import json

import pytest

from model_tools.evaluation.events import Event
from model_tools.evaluation.psds import PsdsParameters, Rates, psds, rates
from tests.golden.events.make import CASES, FOLDER, SCENE_S

PARAMETERS = PsdsParameters()


@pytest.mark.parametrize("name", [name for name in CASES if name != "silent"])
def test_what_psds_eval_said(name: str) -> None:
    case = json.loads((FOLDER / name / "input.json").read_text())
    expected = json.loads((FOLDER / name / "expected.json").read_text())["psds"]
    there = [Event(*row) for row in case["there"]]
    hours = case["scenes"] * SCENE_S / 3_600
    slugs = sorted({event.slug for event in there})
    points: dict[str, list[Rates]] = {slug: [] for slug in slugs}
    for point, theirs in zip(case["points"], expected["rates"], strict=True):
        found = [Event(*row) for row in point]
        for slug in slugs:
            points[slug].append(rates(there, found, slug, hours, PARAMETERS))
            assert points[slug][-1] == pytest.approx(theirs[slug])
    assert psds(points, PARAMETERS) == pytest.approx(expected["psds"])
    assert 0.05 < expected["psds"] < 1.0, "the case would show little"


def test_the_score_is_one_for_a_perfect_detector_and_zero_for_a_deaf_one() -> None:
    there = [Event(0, "dog", 1.0, 2.0), Event(1, "dog", 4.0, 5.0)]
    for found, score in [(there, 1.0), ([], 0.0)]:
        assert psds({"dog": [rates(there, found, "dog", 1.0, PARAMETERS)]}, PARAMETERS) == score


def test_an_answer_right_in_less_than_its_share_is_a_false_alarm() -> None:
    there = [Event(0, "dog", 1.0, 2.0)]
    assert rates(there, [Event(0, "dog", 1.0, 2.5)], "dog", 0.5, PARAMETERS) == (0.0, 2.0)
    assert rates(there, [Event(0, "dog", 1.0, 2.4)], "dog", 0.5, PARAMETERS) == (1.0, 0.0)
    assert rates(there, [Event(0, "dog", 1.0, 1.6)], "dog", 0.5, PARAMETERS) == (0.0, 0.0)
