from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aed_daemon.errors import AedError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.esc10 import SLUGS
from model_tools.data.negatives import HELD_OUT_NEGATIVES
from model_tools.training.train import (
    OUTPUTS,
    TrainRecipe,
    learning_rate,
    load_weights,
    read_config,
    training_set,
)


def test_the_outputs_are_the_classes_then_background() -> None:
    assert list(OUTPUTS) == [*SLUGS, "background"]


def test_the_rate_rises_then_falls_to_zero() -> None:
    recipe = replace(TrainRecipe(), epochs=10, crops_per_epoch=128, batch=64, warmup_epochs=2)
    rates = [learning_rate(recipe, step) for step in range(20)]
    assert rates[0] == pytest.approx(recipe.learning_rate / 4)
    assert max(rates) == rates[3] == recipe.learning_rate
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert learning_rate(recipe, 20) == pytest.approx(0.0, abs=1e-12)


def test_the_fold_left_out_and_the_held_out_negatives_are_not_trained_on(tiny_data: Path) -> None:
    data = training_set(tiny_data, 2)
    assert {clip.fold for clip in data.clips} == {1}
    assert not {clip.source for clip in data.negatives} & set(HELD_OUT_NEGATIVES)
    assert {clip.fold for clip in training_set(tiny_data, 0).clips} == {1, 2}


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(AedError, match="not a run folder"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{ cut sho")
    with pytest.raises(AedError, match="not a run folder"):
        read_config(tmp_path)


def test_a_run_on_other_features_or_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"spec_id": "0123", "outputs": []}')
    with pytest.raises(AedError, match=r"other features.*got 0123"):
        load_weights(tmp_path, SPEC)
    (tmp_path / "config.json").write_text(f'{{"spec_id": "{SPEC.spec_id}", "outputs": []}}')
    with pytest.raises(AedError, match="no weights yet"):
        load_weights(tmp_path, SPEC)
