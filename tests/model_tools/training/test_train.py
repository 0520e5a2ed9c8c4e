"""A real run on a tiny data set: it learns, explains itself, and goes on where it was cut off."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.errors import AedError, ModelError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import Arrays
from model_tools.training.activation import probabilities
from model_tools.training.bank import BankRecipe
from model_tools.training.material import HeldOut, Material, esc10_material
from model_tools.training.network import from_arrays
from model_tools.training.recipe import Closing, TrainRecipe
from model_tools.training.run_folder import load_checkpoint, read_config, read_stages, read_weights
from model_tools.training.train import Epoch, train

RECIPE = TrainRecipe(
    epochs=7,
    crops_per_epoch=32,
    batch=16,
    warmup_epochs=1,
    width=0.25,
    bank=BankRecipe(clean=1, channelled=0, warped=0, synthetic=250, negative_channelled=0.0),
)


@pytest.fixture(scope="module")
def material(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return esc10_material(tiny_data, tmp_path_factory.mktemp("fetched"), HeldOut(0, 2))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class PowerCutError(Exception):
    """The run is cut off here."""


def run(
    material: Material, folder: Path, cache: Path, recipe: TrainRecipe = RECIPE, **options: object
) -> Arrays:
    return train(material, recipe, SPEC, folder, cache, device="cpu", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(material: Material, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(material, folder, cache, validate_every=3)
    return folder


def test_a_run_explains_itself(whole: Path) -> None:
    config = read_config(whole)
    assert config["held_out"] == {"fold": 0, "validation_fold": 2, "slugs": []}
    assert config["recipe"]["seed"] == 1
    assert config["clips"]
    assert all(name.startswith("1-") for name in config["clips"])
    rows = (whole / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,accuracy,elapsed_s,validation"
    assert [row.split(",")[-1] != "" for row in rows[1:]] == [False, False, True, False, False, True, True]
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert load_checkpoint(whole) is None


def test_it_learns(whole: Path) -> None:
    losses = [float(row.split(",")[1]) for row in (whole / "history.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]


def test_a_run_that_was_cut_off_gives_what_it_would_have_given(
    material: Material, whole: Path, cache: Path, tmp_path: Path
) -> None:
    def cut_off(epoch: Epoch) -> None:
        if epoch.number == 6:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run(material, tmp_path, cache, epoch_done=cut_off)
    with pytest.raises(ModelError, match="give the same command again and it goes on"):
        read_weights(tmp_path, SPEC)
    seen: list[int] = []
    resumed = run(material, tmp_path, cache, epoch_done=lambda epoch: seen.append(epoch.number))
    assert seen == [6, 7]
    for name, values in read_weights(whole, SPEC).items():
        np.testing.assert_allclose(resumed[name], values, rtol=2e-2, atol=2e-3, err_msg=name)


def test_another_recipe_does_not_go_on_in_the_same_folder(
    material: Material, cache: Path, tmp_path: Path
) -> None:
    def cut_off(epoch: Epoch) -> None:
        if epoch.number == 5:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run(material, tmp_path, cache, epoch_done=cut_off)
    with pytest.raises(AedError, match=r"unfinished run in the folder differs in recipe.*another folder"):
        run(material, tmp_path, cache, replace(RECIPE, learning_rate=1e-4))
    (tmp_path / "checkpoint.pt").write_bytes(b"cut sho")
    with pytest.raises(AedError, match="the checkpoint cannot be read"):
        run(material, tmp_path, cache)


def test_a_frozen_body_keeps_its_weights(
    material: Material, whole: Path, cache: Path, tmp_path: Path
) -> None:
    before = read_weights(whole, SPEC)
    recipe = replace(RECIPE, epochs=1, frozen=True)
    after = run(material, tmp_path, cache, recipe, start=before)
    for name, values in before.items():
        same = np.array_equal(after[name], values)
        assert same != name.startswith("logits"), name


def test_a_student_comes_nearer_to_its_teacher(
    material: Material, whole: Path, cache: Path, tmp_path: Path
) -> None:
    teacher = read_weights(whole, SPEC)
    alone = replace(RECIPE, epochs=2, seed=2)
    taught = replace(alone, distillation_share=1.0)
    losses = []
    for name, recipe, teachers in (("alone", alone, []), ("taught", taught, [[teacher]])):
        rows: list[Epoch] = []
        run(material, tmp_path / name, cache, recipe, teachers=teachers, epoch_done=rows.append)
        losses.append([row.loss for row in rows])
    assert losses[1][1] < losses[1][0]
    assert losses[0] != losses[1]


TWO_STAGES = replace(
    RECIPE,
    epochs=2,
    closing=Closing(6, 1e-3, replace(RECIPE.feed, background_share=0.6, edge_share=0.5, hard_share=0.5)),
)


@pytest.fixture(scope="module")
def closed(material: Material, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("closed")
    run(material, folder, cache, TWO_STAGES)
    return folder


def test_a_second_stage_goes_on_from_the_first(
    material: Material, closed: Path, cache: Path, tmp_path: Path
) -> None:
    opening, last = read_stages(closed, SPEC)
    first = run(material, tmp_path, cache, replace(TWO_STAGES, closing=None))
    for name, values in first.items():
        np.testing.assert_array_equal(opening[name], values, err_msg=name)
    assert not np.array_equal(opening["logits/kernel"], last["logits/kernel"])
    assert len((closed / "history.csv").read_text().splitlines()) == 1 + 2 + 6
    assert len(read_stages(tmp_path, SPEC)) == 1


def test_a_run_of_one_stage_is_not_taken_for_two_after_an_earlier_one(
    material: Material, cache: Path, tmp_path: Path
) -> None:
    run(material, tmp_path, cache, replace(TWO_STAGES, epochs=1, closing=Closing(1, 1e-3, RECIPE.feed)))
    assert len(read_stages(tmp_path, SPEC)) == 2
    last = run(material, tmp_path, cache, replace(RECIPE, epochs=1))
    (found,) = read_stages(tmp_path, SPEC)
    np.testing.assert_array_equal(found["logits/kernel"], last["logits/kernel"])


@pytest.mark.parametrize(("cut", "left"), [(3, [3, 4, 5, 6, 7, 8]), (7, [8])])
def test_a_second_stage_that_was_cut_off_goes_on(
    material: Material, closed: Path, cache: Path, tmp_path: Path, cut: int, left: list[int]
) -> None:
    def cut_off(epoch: Epoch) -> None:
        if epoch.number == cut:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run(material, tmp_path, cache, TWO_STAGES, epoch_done=cut_off)
    seen: list[int] = []
    resumed = run(material, tmp_path, cache, TWO_STAGES, epoch_done=lambda epoch: seen.append(epoch.number))
    assert seen == left
    for name, values in read_weights(closed, SPEC).items():
        np.testing.assert_allclose(resumed[name], values, rtol=2e-2, atol=2e-3, err_msg=name)


def test_each_stage_is_taught_by_the_same_stage(
    material: Material, closed: Path, cache: Path, tmp_path: Path
) -> None:
    opening, last = read_stages(closed, SPEC)
    pupil = replace(TWO_STAGES, epochs=1, seed=2, distillation_share=1.0)
    pupil = replace(pupil, closing=Closing(1, 1e-3, TWO_STAGES.feed))
    losses = []
    for name, teacher in (("right", [opening, last]), ("swapped", [last, opening]), ("first", [opening])):
        rows: list[Epoch] = []
        run(material, tmp_path / name, cache, pupil, teachers=[teacher], epoch_done=rows.append)
        losses.append([row.loss for row in rows])
    right, swapped, first = losses
    assert right[0] == first[0] != swapped[0]
    assert right[1] != first[1]


def test_outputs_can_be_independent(material: Material, cache: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, activation="sigmoid", epochs=3)
    rows: list[Epoch] = []
    weights = run(material, tmp_path, cache, recipe, epoch_done=rows.append)
    assert rows[-1].loss < rows[0].loss
    patches = np.zeros((2, SPEC.patch_frames, SPEC.n_mels), np.float32)
    found = probabilities(from_arrays(weights).eval(), patches, "sigmoid")
    assert not np.allclose(found.sum(axis=1), 1.0)
    assert ((found > 0.0) & (found < 1.0)).all()


def test_a_patient_run_ends_early_with_its_best_weights(
    material: Material, cache: Path, tmp_path: Path
) -> None:
    rows: list[Epoch] = []
    recipe = replace(RECIPE, epochs=7, patience=1, learning_rate=1e-9)
    run(material, tmp_path, cache, recipe, validate_every=1, epoch_done=rows.append)
    assert len(rows) < 7
    best = max(range(len(rows)), key=lambda i: rows[i].validation["validation"])
    assert best == len(rows) - 2


def test_training_never_loads_tensorflow(material: Material, cache: Path, tmp_path: Path) -> None:
    run(material, tmp_path, cache, replace(RECIPE, epochs=1))
    assert "tensorflow" not in sys.modules


def test_tensorboard_finds_the_curves(whole: Path) -> None:
    events = list((whole / "tensorboard").iterdir())
    assert sum(path.stat().st_size for path in events) > 500


def test_a_loss_that_is_no_number_ends_the_run(material: Material, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(AedError, match=r"epoch \d: the loss is no longer a number.*learning-rate"):
        run(material, tmp_path, cache, replace(RECIPE, learning_rate=1e30))


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no training run here"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{ cut sho")
    with pytest.raises(ModelError, match="no training run here"):
        read_config(tmp_path)


def test_weights_for_other_features_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"spec_id": "0123"}))
    with pytest.raises(ModelError, match=r"other features.*got 0123"):
        read_weights(tmp_path, SPEC)
