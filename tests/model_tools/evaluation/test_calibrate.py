from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import AedError
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import load_manifest
from aed_daemon.rules import class_rules
from model_tools.evaluation.calibrate import (
    Choice,
    Material,
    calibrated,
    choose,
    gather,
    summary,
    thresholds,
    write_manifest,
)
from model_tools.evaluation.listening import Heard, Stream
from model_tools.evaluation.trace import Trace, replay
from model_tools.quantize import label_of
from tests.manifests import a_manifest, write_model

SHIPPED = load_classifier().manifest
MANIFEST = SHIPPED.model_copy(update={"labels": [label_of(slug) for slug in SHIPPED.slugs]})


def material(
    alarms: list[list[int]],
    recall: list[list[float]] | None,
    hours: tuple[float, float] = (20.0, 20.0),
    synthetic: list[list[int]] | None = None,
) -> Material:
    real = np.array(alarms)
    other = np.array(synthetic) if synthetic else np.zeros_like(real)
    slugs = tuple(f"class_{row}" for row in range(len(real)))
    steps = np.arange(128, 128 + real.shape[1])
    return Material(
        slugs, steps, hours, np.stack([real, other]), None if recall is None else np.array(recall), 9
    )


def test_the_alarms_go_where_they_find_most() -> None:
    # 20 h allow 4 alarms: the first class needs 4 to find all, the second would gain little by them.
    first, second = [4, 2, 0], [4, 2, 0]
    choice = choose(material([first, second], [[1.0, 0.5, 0.1], [1.0, 0.95, 0.9]]), 0.5)
    assert choice.allowed == (4, 4)
    assert choice.columns == (0, 2)
    assert choice.alarms == (4, 0)
    assert choice.met


def test_of_equal_thresholds_the_middle_one_is_taken() -> None:
    choice = choose(material([[5, 0, 0, 0, 0, 0]], [[1.0, 0.9, 0.9, 0.9, 0.5, 0.5]]), 0.5)
    assert choice.columns == (2,)


def test_without_clips_the_thresholds_are_as_low_as_the_budget_allows() -> None:
    choice = choose(material([[9, 3, 0], [0, 0, 0], [7, 1, 1]], None), 0.5)
    assert choice.columns == (1, 0, 1)
    assert choice.alarms == (4, 0)


def test_real_and_synthesised_sound_have_their_own_allowance() -> None:
    # Half an hour of real sound shows nothing, so it may hold no alarm; 20 h may hold four.
    both = material([[1, 0, 0]], [[1.0, 0.8, 0.6]], (0.5, 20.0), synthetic=[[9, 4, 0]])
    choice = choose(both, 0.5)
    assert choice.allowed == (0, 4)
    assert choice.columns == (1,)


def test_a_budget_that_cannot_be_met_is_come_close_to_and_told() -> None:
    choice = choose(material([[90, 40, 30], [6, 2, 0]], [[1.0, 1.0, 1.0], [1.0, 0.9, 0.1]]), 0.5)
    assert not choice.met
    assert choice.columns == (2, 2)
    assert choice.alarms == (30, 0)


def test_too_little_sound_is_refused_with_how_much_it_takes() -> None:
    with pytest.raises(
        AedError, match=r"expected at least 6.0 h, in which there would have to be none, got 5.0 h"
    ):
        choose(material([[0]], None, (2.0, 3.0)), 0.5)
    assert choose(material([[0]], None, (3.0, 3.0)), 0.5).met


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_other_choice_finds_more_within_the_budget(data: st.DataObject) -> None:
    def rows(values: st.SearchStrategy[float]) -> list[list[float]]:
        return data.draw(st.lists(st.lists(values, min_size=3, max_size=3), min_size=3, max_size=3))

    counts = st.integers(0, 4)
    alarms = np.sort(np.array([rows(counts), rows(counts)]), axis=2)[:, :, ::-1].astype(int)
    recall = np.sort(np.array(rows(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))), axis=1)[:, ::-1]
    given_material = Material(("a", "b", "c"), np.arange(3), (14.0, 10.0), alarms, recall, 1)
    choice = choose(given_material, 0.5)

    def spent(columns: tuple[int, ...]) -> tuple[int, int]:
        return tuple(int(alarms[g, range(3), list(columns)].sum()) for g in range(2))  # type: ignore[return-value]

    allowed = [c for c in product(range(3), repeat=3) if all(np.array(spent(c)) <= choice.allowed)]
    assert choice.alarms == spent(choice.columns)
    if choice.met:
        best = max(recall[range(3), list(c)].sum() for c in allowed)
        assert recall[range(3), list(choice.columns)].sum() == pytest.approx(best)
    else:
        assert not [c for c in allowed if np.array_equal(spent(c), spent((2, 2, 2)))]


def heard(seed: int, *, real: bool, hours: float) -> Heard:
    """Return a trace in which dogs are heard faintly, and sneezes clearly, as long as told."""
    rng = np.random.default_rng(seed)
    scores = np.full((300, 11), -128, np.int8)
    for at in rng.integers(0, 290, 6):
        scores[at : at + 3, MANIFEST.slugs.index("dog")] = rng.integers(10, 40)
    levels = np.full(300 * 24 + 97, -3_000, np.int16)
    return Heard(
        Stream("x", "speech", real, list), Trace(scores, levels, int(hours * 3_600 * 16_000), 24), []
    )


def test_at_the_calibrated_thresholds_the_daemon_keeps_to_the_budget() -> None:
    negatives = [heard(seed, real=seed % 2 == 0, hours=5.0) for seed in range(6)]
    found = gather(MANIFEST, negatives)
    choice = choose(found, 0.5)
    told = calibrated(MANIFEST, found, choice, {"seed": 1}, exact=True)
    rules = class_rules(DetectionConfig(), told)
    starts = sum(len(replay(h.trace, told, rules)) for h in negatives if h.stream.real)
    assert starts == choice.alarms[0] <= choice.allowed[0] == 2
    before = class_rules(DetectionConfig(), MANIFEST)
    assert sum(len(replay(h.trace, MANIFEST, before)) for h in negatives) > 20
    brief = {rule.slug for rule in rules if rule.smoothing_hops == 1}
    assert brief == {"dog", "rooster", "sneezing", "crying_baby", "clock_tick"}
    assert {slug: on for slug, on in thresholds(told).items() if slug != "dog"} == pytest.approx(
        {rule.slug: 0.4 if rule.slug in brief else 0.5 for rule in rules if rule.slug != "dog"}, abs=1 / 256
    )
    assert thresholds(told)["dog"] > 0.6
    dog = next(label for label in told.labels if label.slug == "dog")
    assert dog.threshold_off == pytest.approx(0.6 * dog.threshold_on, abs=1 / 256)


def test_recall_is_counted_on_clips_of_every_class() -> None:
    rows = []
    for column, slug in enumerate(MANIFEST.slugs[:-1]):
        scores = np.full((30, 11), -128, np.int8)
        scores[5:15, column] = 60
        rows.append(
            (slug, Heard(Stream("x", slug, True, list), Trace(scores, np.zeros(900, np.int16), 1, 24), []))
        )
    found = gather(MANIFEST, [], rows)
    assert found.recall is not None
    assert found.clips == 10
    reached = found.steps <= 60 + 128
    assert (found.recall[:, reached] == 1.0).all()
    assert (found.recall[:, ~reached] == 0.0).all()
    with pytest.raises(AedError, match="got none of crackling_fire"):
        gather(MANIFEST, [], rows[:-1])


def test_the_manifest_keeps_what_it_held_and_tells_what_it_was_chosen_by(tmp_path: Path) -> None:
    model = write_model(tmp_path)
    manifest = a_manifest()
    found = Material(("dog", "rain"), np.array([160, 200]), (20.0, 8.0), np.zeros((2, 2, 2), int), None, 0)
    choice = Choice((1, 0), (4, 0), (0, 0))
    exact = calibrated(manifest, found, choice, {"budget_per_hour": 0.5}, exact=True)
    both = calibrated(exact, found, Choice((0, 1), (4, 0), (0, 0)), {"budget_per_hour": 0.5}, exact=False)
    write_manifest(model, both)
    read = load_manifest(model)
    assert [label.threshold_on for label in read.labels] == [200 / 256, 160 / 256, 0.6]
    assert [label.threshold_on for label in read.for_engine(exact=False).labels] == [
        160 / 256,
        200 / 256,
        0.6,
    ]
    assert [label.mode for label in read.labels] == [label.mode for label in manifest.labels]
    told = read.metrics["calibration"]
    assert told["exact"] == told["xnnpack"]
    assert told["exact"] | summary(found, choice) == told["exact"]
    assert told["exact"]["hours"] == {"real": 20.0, "synthetic": 8.0}
    unchanged = {"labels", "metrics"}
    before, after = json.loads(manifest.to_json()), json.loads(read.to_json())
    assert {k: v for k, v in before.items() if k not in unchanged} == {
        k: v for k, v in after.items() if k not in unchanged
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json", "tiny.tflite"]
