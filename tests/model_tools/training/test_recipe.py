from __future__ import annotations

from dataclasses import replace

import pytest

from model_tools.training.recipe import SCRATCH, Closing, TrainRecipe


def test_the_rate_rises_then_falls_to_zero() -> None:
    recipe = replace(TrainRecipe(), epochs=10, crops_per_epoch=128, batch=64, warmup_epochs=2)
    rates = [recipe.learning_rate_at(step) for step in range(20)]
    assert rates[0] == pytest.approx(recipe.learning_rate / 4)
    assert max(rates) == rates[3] == recipe.learning_rate
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert recipe.learning_rate_at(20) == pytest.approx(0.0, abs=1e-12)


def test_a_closing_is_a_stage_of_its_own() -> None:
    feed = replace(TrainRecipe().feed, hard_share=0.5)
    recipe = replace(TrainRecipe(), epochs=10, closing=Closing(3, 1e-4, feed))
    first, last = recipe.stages
    assert recipe.all_epochs == 13
    assert (first.epochs, first.feed, first.closing) == (10, recipe.feed, None)
    assert (last.epochs, last.learning_rate, last.feed, last.seed) == (3, 1e-4, feed, recipe.seed)
    assert replace(recipe, closing=None).stages == [first]


def test_the_published_recipes_close_on_what_is_hard() -> None:
    assert SCRATCH.stages[0].feed.hard_share == 0.0
    assert SCRATCH.stages[1].feed.hard_share > 0.0
