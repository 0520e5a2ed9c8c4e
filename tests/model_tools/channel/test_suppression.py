from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel.suppression import suppress_noise
from tests.model_tools.channel.measures import RATE_HZ, calls, dbfs, lag_samples, noise


def test_steady_noise_is_turned_down_and_sounds_are_not() -> None:
    burst = np.zeros(3 * RATE_HZ, np.float32)
    burst[RATE_HZ : RATE_HZ + 4_000] = calls(1.0)[:4_000]
    out = suppress_noise(burst + noise(3.0, -50.0), RATE_HZ, floor_db=-15.0, over=2.0)
    assert -16.0 < dbfs(out[2 * RATE_HZ :]) + 50.0 < -9.0
    assert dbfs(out[RATE_HZ : RATE_HZ + 4_000]) == pytest.approx(
        dbfs(burst[RATE_HZ : RATE_HZ + 4_000]), abs=1.0
    )


def test_it_turns_down_by_no_more_than_the_floor() -> None:
    rain = noise(3.0, -20.0)
    for floor_db in (-6.0, -12.0):
        out = suppress_noise(rain, RATE_HZ, floor_db=floor_db, over=20.0)
        assert dbfs(out) - dbfs(rain) == pytest.approx(floor_db, abs=0.1)


def test_without_anything_taken_away_it_gives_the_sound_back() -> None:
    np.testing.assert_allclose(suppress_noise(calls(), RATE_HZ, over=0.0), calls(), atol=1e-6)


def test_lengths_silence_and_time() -> None:
    for n in (0, 1, 255, 256, 257, 3_200, 30 * RATE_HZ):
        sound = np.resize(calls(), n).astype(np.float32)
        out = suppress_noise(sound, RATE_HZ)
        assert out.shape == (n,)
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
    assert not suppress_noise(np.zeros(RATE_HZ, np.float32), RATE_HZ).any()
    assert abs(lag_samples(calls(), suppress_noise(calls(), RATE_HZ))) <= 1
