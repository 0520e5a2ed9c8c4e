from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.quantize import label_of, licence_of, provenance, representative_patches
from model_tools.training.feed import FeedRecipe
from model_tools.training.train import OUTPUTS, training_set


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC-BY 4.0 https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("CC-BY https://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0"),
        ("Public Domain https://creativecommons.org/publicdomain/mark/1.0/", "public domain"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "unknown"),
    ],
)
def test_licences_are_read_from_the_text_beside_a_recording(tmp_path: Path, text: str, licence: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert licence_of(tmp_path / "a.ogg") == licence
    assert licence_of(tmp_path / "b.ogg") == "unknown"


def test_continuous_sounds_are_confirmed_and_short_ones_are_not() -> None:
    modes = {slug: label_of(slug).mode for slug in OUTPUTS}
    instant = {"dog", "rooster", "sneezing", "crying_baby", "clock_tick"}
    confirmed = {"rain", "sea_waves", "helicopter", "chainsaw", "crackling_fire"}
    assert {slug for slug in instant if modes[slug] == "instant"} == instant
    assert {slug for slug in confirmed if modes[slug] == "confirm"} == confirmed
    assert label_of("dog").label == "Dog"


def test_calibration_sees_silence_quiet_and_loud(tiny_data: Path, tmp_path: Path) -> None:
    patches = representative_patches(training_set(tiny_data, 2), SPEC, tmp_path, FeedRecipe())
    assert patches.shape[1:] == (SPEC.patch_frames, SPEC.n_mels)
    np.testing.assert_allclose(patches[0], np.log(SPEC.log_offset), rtol=1e-6)
    loudest = patches.max(axis=(1, 2))
    assert loudest.min() < -5.0
    assert loudest.max() > 1.0


def test_weights_from_a_recording_of_unknown_licence_are_not_redistributable(tiny_data: Path) -> None:
    data = training_set(tiny_data, 2)
    feed = {"background_share": 0.2, "real_share": 0.5}
    config = {"recipe": {"feed": feed, "seed": 1}, "held_out_fold": 2, "tools": {}}
    assert provenance(config, data).redistributable
    stray = replace(data.negatives[0], path=data.negatives[0].path.with_name("5703-47212-0000.wav"))
    assert not provenance(config, replace(data, negatives=[stray])).redistributable
