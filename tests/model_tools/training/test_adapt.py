"""Adapting a finished network: what stays, what learns, and with how little it makes do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import Arrays
from model_tools.tflite_weights import read_model
from model_tools.training.material import HeldOut, Material
from model_tools.training.own import own_material, read_own
from model_tools.training.recipe import ADAPTED, UNFROZEN, TrainRecipe
from model_tools.training.train import train
from tests.model_tools.own_sounds import write_set


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """One class of one clip, and nothing recorded to train against."""
    root = tmp_path_factory.mktemp("lonely")
    write_set(root, clips=1, seed=4)
    return own_material(read_own(root, SPEC, classes=["knocking"]), [], HeldOut())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def adapted(material: Material, recipe: TrainRecipe, run: Path, cache: Path) -> tuple[Arrays, Arrays]:
    short = replace(recipe, epochs=6, crops_per_epoch=128, bank=replace(recipe.bank, synthetic=250))
    start = read_model(DEFAULT_MODEL, SPEC)
    return start, train(material, short, SPEC, run, cache, start=start, device="cpu")


def test_a_new_last_layer_learns_and_the_rest_stays(lonely: Material, tmp_path: Path, cache: Path) -> None:
    start, after = adapted(lonely, ADAPTED, tmp_path, cache)
    assert lonely.outputs == ("knocking", "background")
    assert after["logits/kernel"].shape == (256, 2)
    for name in start:
        if not name.startswith("logits"):
            np.testing.assert_array_equal(after[name], start[name], err_msg=name)
    losses = [float(row.split(",")[1]) for row in (tmp_path / "history.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]


def test_unfrozen_all_layers_learn_but_the_statistics_stay(
    lonely: Material, tmp_path: Path, cache: Path
) -> None:
    start, after = adapted(lonely, UNFROZEN, tmp_path, cache)
    for name in start:
        if name.endswith(("/mean", "/variance")):
            np.testing.assert_array_equal(after[name], start[name], err_msg=name)
        elif name.endswith("/kernel") and not name.startswith("logits"):
            assert np.abs(after[name] - start[name]).max() > 0.0, name
