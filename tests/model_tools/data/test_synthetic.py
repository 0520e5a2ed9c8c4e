from __future__ import annotations

import numpy as np
import pytest

from model_tools.data import synthetic

RATE = 16_000


@pytest.mark.parametrize("level", [-95.0, -40.0, -12.0])
def test_at_level_gives_that_level(level: float) -> None:
    noise = synthetic.coloured_noise(np.random.default_rng(0), RATE, RATE)
    assert synthetic.rms_dbfs(synthetic.at_level(noise, level)) == pytest.approx(level, abs=0.01)


def test_silence_stays_silence() -> None:
    silence = np.zeros(100, np.float32)
    assert synthetic.rms_dbfs(silence) == -200.0
    np.testing.assert_array_equal(synthetic.at_level(silence, -20.0), silence)


def test_synthetic_sounds_are_finite_seeded_and_of_all_levels() -> None:
    levels = []
    for seed in range(150):
        one = synthetic.synthetic(np.random.default_rng(seed), 8_000, RATE)
        assert one.dtype == np.float32
        assert one.shape == (8_000,)
        assert np.isfinite(one).all()
        levels.append(synthetic.rms_dbfs(one))
    np.testing.assert_array_equal(one, synthetic.synthetic(np.random.default_rng(149), 8_000, RATE))
    assert max(levels) <= -11.9
    assert min(levels) < -90.0
    assert np.ptp([level for level in levels if level > -95]) > 60.0


def test_dither_is_one_step_of_sixteen_bits() -> None:
    assert set(np.unique(synthetic.dither(np.random.default_rng(0), 1_000) * 32_768)) == {-1.0, 0.0, 1.0}
