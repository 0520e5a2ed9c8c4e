from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import BACKGROUND, DEFAULT_MODEL, load_manifest
from aed_daemon.rules import class_rules
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip
from model_tools.data.esc10 import SLUGS
from model_tools.quantize import label_of, provenance, representative_patches, silence_on_a_step
from model_tools.training import bank
from model_tools.training.feed import FeedRecipe
from model_tools.training.material import HeldOut, esc10_material


def test_brief_sounds_start_with_their_second_hop_and_lasting_ones_are_confirmed_for_longer() -> None:
    brief = {"dog", "rooster", "sneezing", "crying_baby", "clock_tick"}
    entries = [label_of(slug) for slug in (*SLUGS, BACKGROUND)]
    manifest = load_manifest(DEFAULT_MODEL).model_copy(update={"labels": entries})
    rules = {rule.slug: rule for rule in class_rules(DetectionConfig(), manifest)}
    assert {slug: (rule.confirm_hops, rule.smoothing_hops) for slug, rule in rules.items()} == {
        slug: (2, 1) if slug in brief else (4, 2) for slug in SLUGS
    }
    assert label_of("dog").label == "Dog"


def test_calibration_sees_silence_quiet_and_loud(tiny_data: Path, tmp_path: Path) -> None:
    material = esc10_material(tiny_data, tmp_path, HeldOut(2))
    recipe = bank.BankRecipe(clean=1, channelled=0, warped=0, synthetic=250, negative_channelled=0.0)
    made = bank.make(material.clips, recipe, SPEC, tmp_path)
    patches = representative_patches(material, made, SPEC, FeedRecipe())
    assert patches.shape[1:] == (SPEC.patch_frames, SPEC.n_mels)
    np.testing.assert_allclose(patches[0], np.log(SPEC.log_offset), rtol=1e-6)
    loudest = patches.max(axis=(1, 2))
    assert loudest.min() < -5.0
    assert loudest.max() > 1.0


@pytest.mark.parametrize("loudest", [0.5, 4.3, 6.1])
def test_silence_and_zero_are_values_of_the_networks_input(loudest: float) -> None:
    silence = np.log(SPEC.log_offset)
    patches = np.full((3, SPEC.patch_frames, SPEC.n_mels), silence, np.float32)
    patches[1, 5, 7] = loudest
    more = silence_on_a_step(patches, SPEC)
    assert np.array_equal(more[:3], patches)
    step = (float(more.max()) - silence) / 255
    assert -silence / step == pytest.approx(round(-silence / step), abs=1e-3)
    assert loudest <= more.max() < loudest + 1.0


def test_provenance_adds_up_and_knows_what_may_be_passed_on(tiny_data: Path, tmp_path: Path) -> None:
    material = esc10_material(tiny_data, tmp_path, HeldOut(2))
    feed = {"background_share": 0.2, "real_share": 0.5, "warped_share": 0.1}
    held_out = {"fold": 2, "validation_fold": 0, "slugs": []}
    config = {"recipe": {"feed": feed, "seed": 1}, "held_out": held_out, "tools": {}}
    shares = {clip.collection: 1.0 for clip in material.seen if not clip.slug}
    free = provenance(config, material, shares)
    assert sum(source.share for source in free.data) == pytest.approx(1.0, abs=1e-3)
    more = Clip(tmp_path / "b.wav", "dog", 0, "b", "debian:zoo, examples", "GPL-2.0-only")
    assert len([clip for clip in material.seen if clip.slug == "dog"]) == 1
    dogs = provenance(config, replace(material, clips=[*material.clips, more]), shares)
    # Half of the crops of one class of ten, and four fifths of all crops are of a class.
    assert {source.name: source.share for source in dogs.data}[more.collection] == pytest.approx(0.04)
    assert sum(source.share for source in dogs.data) == pytest.approx(1.0, abs=1e-3)
    assert free.redistributable
    assert free.held_out == "ESC-10 fold 2"
    bound = [replace(clip, licence="CC-BY-NC-4.0") if not clip.slug else clip for clip in material.clips]
    assert not provenance(config, replace(material, clips=bound), shares).redistributable
