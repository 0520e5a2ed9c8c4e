from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel import dynamics
from tests.model_tools.channel.measures import RATE_HZ, Samples, calls, dbfs, lag_samples, noise, tone


def steps(*levels_dbfs: float, seconds: float = 1.0) -> Samples:
    """Return a tone at one RMS level after the other."""
    return np.concatenate([tone(1_000.0, seconds, 10 ** ((level + 3.01) / 20)) for level in levels_dbfs])


@pytest.mark.parametrize(("ratio", "makeup_db"), [(2.0, 0.0), (4.0, 6.0), (10.0, 0.0)])
def test_the_compressors_curve(ratio: float, makeup_db: float) -> None:
    for level_dbfs in (-60.0, -40.0, -30.0, -20.0, -10.0):
        out = dynamics.compress(
            steps(level_dbfs), RATE_HZ, threshold_dbfs=-30.0, ratio=ratio, makeup_db=makeup_db
        )
        over = max(level_dbfs + 30.0, 0.0)
        wanted = level_dbfs - over + over / ratio + makeup_db
        assert dbfs(out[RATE_HZ // 2 :]) == pytest.approx(wanted, abs=0.2)


def test_attack_and_release_take_their_time() -> None:
    out = dynamics.compress(
        steps(-50.0, -10.0, -50.0), RATE_HZ, threshold_dbfs=-50.0, ratio=100.0, attack_s=0.02, release_s=0.2
    )
    levels = dynamics.block_dbfs(out, RATE_HZ)
    second = round(1 / dynamics.BLOCK_S)
    # One time constant after the step 37 % of its 40 dB are still to come.
    assert levels[second + 8] == pytest.approx(-50.0 + 40.0 * np.exp(-1), abs=2.5)
    assert levels[2 * second - 20] == pytest.approx(-49.6, abs=0.5)
    assert levels[2 * second + 80] == pytest.approx(-50.0 - 40.0 * np.exp(-1), abs=2.5)


def test_automatic_gain_reaches_its_target_and_not_beyond_its_range() -> None:
    for level_dbfs, wanted_dbfs in ((-10.0, -20.0), (-35.0, -20.0), (-70.0, -50.0)):
        out = dynamics.automatic_gain(
            steps(level_dbfs, seconds=3.0), RATE_HZ, target_dbfs=-20.0, highest_db=20.0, release_s=0.3
        )
        assert dbfs(out[-RATE_HZ:]) == pytest.approx(wanted_dbfs, abs=0.2)


def test_automatic_gain_raises_the_noise_between_sounds() -> None:
    sound = np.concatenate([steps(-20.0), noise(4.0, -70.0)])
    out = dynamics.automatic_gain(sound, RATE_HZ, target_dbfs=-20.0, highest_db=30.0, release_s=1.0)
    after = [dbfs(out[RATE_HZ * k : RATE_HZ * k + RATE_HZ // 2]) for k in (1, 2, 3, 4)]
    assert after[0] < -55.0
    assert after[1:] == pytest.approx([-40.0] * 3, abs=0.5)


def test_overdrive_bends_or_cuts() -> None:
    hard = dynamics.overdrive(calls(), 12.0)
    assert np.abs(hard).max() == 1.0
    assert np.mean(np.abs(hard) == 1.0) > 0.01
    soft = dynamics.overdrive(calls(), 12.0, soft=True)
    assert 0.95 < np.abs(soft).max() < 1.0
    driven = calls() * (10 ** (12.0 / 20) / np.abs(calls()).max())
    inside = np.abs(driven) < 1.0
    np.testing.assert_allclose(hard[inside], driven[inside], rtol=1e-5)


def test_lengths_silence_and_time() -> None:
    for n in (0, 1, 7, 3_200, 30 * RATE_HZ):
        sound = np.resize(calls(), n).astype(np.float32)
        for out in (
            dynamics.compress(sound, RATE_HZ, threshold_dbfs=-30.0, ratio=4.0),
            dynamics.automatic_gain(sound, RATE_HZ),
            dynamics.overdrive(sound, 6.0),
        ):
            assert out.shape == (n,)
            assert out.dtype == np.float32
            if n > 100:
                assert abs(lag_samples(sound, out)) <= 1
    silence = np.zeros(RATE_HZ, np.float32)
    assert not dynamics.automatic_gain(silence, RATE_HZ).any()
    assert not dynamics.compress(silence, RATE_HZ, threshold_dbfs=-30.0, ratio=4.0).any()
    assert not dynamics.overdrive(silence, 6.0).any()


def test_levels_of_blocks() -> None:
    levels = dynamics.block_dbfs(
        np.concatenate([np.full(40, 0.1, np.float32), np.zeros(10, np.float32)]), RATE_HZ
    )
    np.testing.assert_allclose(levels, [-20.0, -120.0], atol=1e-4)
