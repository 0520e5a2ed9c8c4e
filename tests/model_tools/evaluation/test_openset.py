from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.inference import load_classifier
from model_tools.evaluation.listening import Heard, of_samples
from model_tools.evaluation.openset import (
    OpenClip,
    Rotation,
    clip_scores,
    evaluate,
    open_clip,
    threshold_for,
)
from model_tools.evaluation.trace import Trace

MANIFEST = load_classifier().manifest


def clips(known: list[int], unknown: list[int]) -> list[OpenClip]:
    return [
        OpenClip(f"{kind}{i}", "x", kind == "known", needed, (needed / 256,) * 3)
        for kind, values in (("known", known), ("unknown", unknown))
        for i, needed in enumerate(values)
    ]


def test_the_threshold_is_the_highest_that_keeps_the_recall() -> None:
    known = clips([0, 50, 60, 70, 80, 90, 100, 110, 120, 130], [255])[:10]
    assert threshold_for(known, 0.9) == 50
    assert threshold_for(known, 0.85) == 50
    assert threshold_for(known, 0.8) == 60
    assert threshold_for(known, 1.0) == 0
    assert threshold_for([]) == 0


def test_the_threshold_comes_from_other_clips_than_those_reported_on() -> None:
    """One rotation's clips are loud, the other's quiet: each is judged by the other's threshold."""
    loud = Rotation("loud", ("dog",), clips([200] * 10, [220, 90]))
    quiet = Rotation("quiet", ("rain",), clips([100] * 10, [90, 220]))
    figures = evaluate([loud, quiet])
    assert figures is not None
    assert [r["threshold"] for r in figures["rotations"]] == [round(100 / 256, 3), round(200 / 256, 3)]
    assert [r["known_clip_recall"] for r in figures["rotations"]] == [1.0, 0.0]
    assert [r["unknown_clips_firing"] for r in figures["rotations"]] == [0.5, 0.5]
    assert (figures["n"], figures["n_known"]) == (4, 20)


def test_validation_clips_come_first_and_a_single_rotation_without_them_has_no_figure() -> None:
    reported, validation = clips([100, 200], [150, 50]), clips([120, 130, 140], [])
    figures = evaluate([Rotation("one", ("dog",), reported, validation)])
    assert figures is not None
    assert figures["rotations"][0]["threshold"] == round(120 / 256, 3)
    assert (figures["known_clip_recall"], figures["unknown_clips_firing"]) == (0.5, 0.5)
    assert evaluate([Rotation("one", ("dog",), reported)]) is None


def test_the_area_is_over_all_clips() -> None:
    one = Rotation("a", ("dog",), clips([200, 210], [100]), clips([150], []))
    figures = evaluate([one, one])
    assert figures is not None
    assert figures["auroc"] == 1.0
    assert figures["auroc_by_score"]["margin"]["mean_of_rotations"] == 1.0


def trace(*scores: dict[str, float]) -> Trace:
    rows = np.full((len(scores), 11), -128)
    for row, values in zip(rows, scores, strict=True):
        for slug, value in values.items():
            row[MANIFEST.slugs.index(slug)] = round(value * 256) - 128
    frames = 97 + 24 * len(scores)
    return Trace(rows.astype(np.int8), np.full(frames, -2_000, np.int16), 160 * frames, 24)


def test_a_known_clip_needs_its_own_class_and_an_unknown_one_any() -> None:
    hop = {"dog": 0.5, "rooster": 0.75}
    heard = Heard(of_samples("x", "", np.zeros(1, np.float32), real=True), trace(hop, hop), [])
    assert open_clip(MANIFEST, "dog", heard).needed in (127, 128)
    stranger = open_clip(MANIFEST, "siren", heard)
    assert not stranger.known
    assert stranger.needed in (191, 192)
    assert open_clip(MANIFEST, "sneezing", heard).needed == 0


def test_what_a_clip_is_ranked_by() -> None:
    heard = trace({"dog": 0.5, "rain": 0.25, "background": 0.25}, {"background": 0.75, "dog": 0.125}, {})
    assert clip_scores(heard, MANIFEST) == pytest.approx((0.5, 0.75, 0.25))
    assert clip_scores(trace({}, {}), MANIFEST) == (0.0, 0.0, 0.0)
