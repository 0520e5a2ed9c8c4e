from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.errors import AedError
from model_tools.data.clip import Clip
from model_tools.data.esc10 import SLUGS
from model_tools.training.material import HeldOut, Material, esc10_material


def folds_seen(material: Material) -> set[int]:
    return {clip.fold for clip in material.seen if clip.slug}


def test_the_outputs_are_the_classes_then_background(tiny_data: Path, tmp_path: Path) -> None:
    assert esc10_material(tiny_data, tmp_path, HeldOut()).outputs == (*SLUGS, "background")


def test_left_out_folds_are_not_seen_and_the_bank_is_the_same(tiny_data: Path, tmp_path: Path) -> None:
    every = esc10_material(tiny_data, tmp_path, HeldOut())
    without = esc10_material(tiny_data, tmp_path, HeldOut(fold=2))
    validated = esc10_material(tiny_data, tmp_path, HeldOut(fold=2, validation_fold=1))
    assert folds_seen(every) == {1, 2}
    assert folds_seen(without) == {1}
    assert folds_seen(validated) == set()
    assert every.clips == without.clips == validated.clips
    assert {validated.clips[i].fold for i in validated.validation} == {1}
    assert without.validation == []


def test_a_left_out_class_is_a_stranger(tiny_data: Path, tmp_path: Path) -> None:
    material = esc10_material(tiny_data, tmp_path, HeldOut(fold=2, slugs=("dog", "rain")))
    assert len(material.outputs) == 9
    assert not {"dog", "rain"} & {clip.slug for clip in material.seen}
    assert str(material.held_out) == "ESC-10 fold 2, class dog, class rain"
    with pytest.raises(AedError, match="no class is called cat"):
        esc10_material(tiny_data, tmp_path, HeldOut(slugs=("cat",)))


def test_a_clip_of_no_fold_is_always_learnt_from() -> None:
    clip = Clip(Path("bark.wav"), "dog", 0, "a bark")
    for held_out in (HeldOut(), HeldOut(2), HeldOut(2, 1), HeldOut(0, 1)):
        assert Material([clip], (*SLUGS, "background"), held_out).seen == [clip]
    assert Material([clip], ("rain", "background"), HeldOut(2, 0, ("dog",))).seen == []
