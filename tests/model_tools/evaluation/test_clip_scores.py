from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.clip_scores import (
    ClipTable,
    FoldClip,
    accuracy,
    by_class,
    compared,
    float_means,
    fold_clips,
    joined,
    pr_curve,
    score_clips,
)
from model_tools.evaluation.statistics import wilson


def table(found: list[int], labels: list[int], folds: list[int] | None = None, first: str = "a") -> ClipTable:
    means = np.full((len(found), len(SLUGS)), 0.01)
    means[np.arange(len(found)), found] = 0.9
    names = tuple(f"{first}{i:03d}" for i in range(len(found)))
    return ClipTable(names, np.array(folds or [1] * len(found)), np.array(labels), means)


def test_the_class_is_the_largest_mean_among_known_outputs() -> None:
    clips = [
        FoldClip("rain", "x", 2, np.zeros(1, np.float32)),
        FoldClip("dog", "y", 3, np.zeros(1, np.float32)),
    ]
    means = [np.array([0.1, 0.3, 0.6]), np.array([0.5, 0.5, 0.0])]
    scored = score_clips(clips, ("dog", "rain", "background"), means)
    assert scored.right.tolist() == [True, True]  # background left out; of equal ones the first
    assert scored.folds.tolist() == [2, 3]


def test_accuracy_is_the_mean_over_seeds_with_the_interval_of_its_clips() -> None:
    one = table([0, 1, 2, 3], [0, 1, 2, 9], folds=[1, 1, 2, 2])
    other = table([0, 1, 9, 3], [0, 1, 2, 9], folds=[1, 1, 2, 2])
    figures = accuracy({1: one, 2: other})
    assert figures["clip_accuracy"] == 0.625
    assert figures["n"] == 4
    assert figures["ci95"] == pytest.approx(wilson(2.5, 4), abs=1e-4)
    assert figures["per_fold"] == {"1": 1.0, "2": 0.25}
    assert figures["per_seed"] == {"1": 0.75, "2": 0.5}
    assert figures["spread"] == 0.25


def test_folds_are_joined_by_name_so_that_tables_compare() -> None:
    one, other = table([0], [0], first="b"), table([1, 2], [1, 3], first="a")
    assert joined([one, other]).names == ("a000", "a001", "b000")
    assert joined([one, other]).right.tolist() == [True, False, True]
    assert compared(joined([one, other]), joined([other, one]))["difference"] == 0.0
    with pytest.raises(ValueError, match="same clips"):
        compared(one, other)


def test_what_only_one_has_right_is_compared() -> None:
    labels = [0] * 12
    told = compared(table([0] * 10 + [1] * 2, labels), table([1] * 10 + [0] * 2, labels))
    assert (told["only_first_right"], told["only_second_right"]) == (10, 2)
    assert told["difference"] == pytest.approx(8 / 12, abs=1e-4)
    assert told["mcnemar_p"] == pytest.approx(0.0386, abs=1e-4)


def test_precision_and_recall_by_class() -> None:
    figures = by_class(table([0, 0, 1, 1], [0, 1, 1, 1]))
    assert figures["dog"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667}
    assert figures["rain"] == {"precision": 1.0, "recall": 0.6667, "f1": 0.8}
    assert "rooster" not in figures


def test_the_pr_curve_takes_clips_of_equal_probability_together() -> None:
    scored = table([0, 0, 0, 1], [0, 1, 0, 0])
    recall, precision, average = pr_curve(scored, "dog")
    assert recall.tolist() == pytest.approx([2 / 3, 1.0])
    assert precision.tolist() == pytest.approx([2 / 3, 0.75])
    assert average == pytest.approx(2 / 3 * 2 / 3 + 1 / 3 * 0.75)


def test_float_means_are_over_the_patches_that_pass_the_gate() -> None:
    sound = (np.random.default_rng(0).standard_normal(5 * 16_000) * 0.1).astype(np.float32)
    seen = []

    def scores(patches: NDArray[np.float32]) -> NDArray[np.float64]:
        seen.append(len(patches))
        numbered = np.stack([np.full(len(patches), 0.25), np.arange(len(patches))], axis=1)
        return np.asarray(numbered, np.float64)

    (mean,) = float_means(scores, [sound], SPEC)
    assert seen == [6]
    assert mean.tolist() == [0.25, 2.5]


@pytest.mark.data
def test_all_four_hundred_clips_are_there() -> None:
    from tests.recordings import DATA_DIR, esc10

    esc10()
    clips = fold_clips(DATA_DIR / "esc10", Path("cache"))
    assert len(clips) == 400
    assert {fold: sum(clip.fold == fold for clip in clips) for fold in range(1, 6)} == dict.fromkeys(
        range(1, 6), 80
    )
    assert all(sum(clip.slug == slug for clip in clips) == 40 for slug in SLUGS)
