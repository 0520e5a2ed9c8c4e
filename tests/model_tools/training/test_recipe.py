from __future__ import annotations

from dataclasses import replace

import pytest

from model_tools.training.recipe import TrainRecipe


def test_the_rate_rises_then_falls_to_zero() -> None:
    recipe = replace(TrainRecipe(), epochs=10, crops_per_epoch=128, batch=64, warmup_epochs=2)
    rates = [recipe.learning_rate_at(step) for step in range(20)]
    assert rates[0] == pytest.approx(recipe.learning_rate / 4)
    assert max(rates) == rates[3] == recipe.learning_rate
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert recipe.learning_rate_at(20) == pytest.approx(0.0, abs=1e-12)
