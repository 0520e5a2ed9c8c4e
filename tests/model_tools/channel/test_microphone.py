from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel import microphone as mic
from tests.model_tools.channel.measures import RATE_HZ, calls, dbfs, lag_samples, noise, power_db, tone


def gain_db(response_db: np.ndarray[tuple[int], np.dtype[np.float64]], hz: float) -> float:
    """Return what a filter does to a tone."""
    out = mic.equalise(tone(hz, 2.0), response_db)
    return dbfs(out[RATE_HZ:]) - dbfs(tone(hz, 2.0)[RATE_HZ:])


@pytest.mark.parametrize("order", [1, 2, 4])
def test_roll_offs_have_their_corner_and_slope(order: int) -> None:
    hz = mic.grid_hz(RATE_HZ)
    high = mic.high_pass_db(hz, 300.0, order)
    assert gain_db(high, 300.0) == pytest.approx(-3.0, abs=0.3)
    assert gain_db(high, 75.0) == pytest.approx(-12.04 * order, abs=0.6)
    assert gain_db(high, 3_000.0) == pytest.approx(0.0, abs=0.1)
    low = mic.low_pass_db(hz, 1_500.0, order)
    assert gain_db(low, 1_500.0) == pytest.approx(-3.0, abs=0.3)
    assert gain_db(low, 6_000.0) == pytest.approx(-12.04 * order, abs=0.6)


def test_a_resonance_is_a_peak() -> None:
    peak = mic.resonance_db(mic.grid_hz(RATE_HZ), 5_000.0, 9.0, 2.0)
    assert gain_db(peak, 5_000.0) == pytest.approx(9.0, abs=0.2)
    assert gain_db(peak, 500.0) == pytest.approx(0.0, abs=0.2)


def test_nothing_sounds_before_its_time() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[5_000] = 0.5
    for seed in range(20):
        out, _ = mic.microphone(np.random.default_rng(seed), click, RATE_HZ)
        assert np.abs(out[:5_000]).max() < 1e-6
        assert int(np.abs(out).argmax()) - 5_000 <= 4


def test_a_microphone_is_as_described_and_keeps_one_kilohertz() -> None:
    lacking = 0
    for seed in range(30):
        out, drawn = mic.microphone(np.random.default_rng(seed), noise(), RATE_HZ)
        assert 50.0 <= drawn["high_pass_hz"] <= 300.0
        assert 3_000.0 <= drawn["resonance_hz"] <= 8_000.0
        assert power_db(out, 980, 1_020) == pytest.approx(power_db(noise(), 980, 1_020), abs=1.0)
        assert power_db(out, 5, 20) < power_db(noise(), 5, 20) - 3.0
        lacking += "low_pass_hz" in drawn
        heard, _ = mic.microphone(np.random.default_rng(seed), calls(), RATE_HZ)
        assert abs(lag_samples(calls(), heard)) <= 16  # 1 ms
    assert 5 <= lacking <= 20


def test_the_generator_decides() -> None:
    first, _ = mic.microphone(np.random.default_rng(1), calls(), RATE_HZ)
    again, _ = mic.microphone(np.random.default_rng(1), calls(), RATE_HZ)
    other, _ = mic.microphone(np.random.default_rng(2), calls(), RATE_HZ)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("tilt", "fall_db"), [(0.0, 0.0), (1.0, 10.0), (2.0, 20.0)])
def test_noise_has_its_level_and_colour(tilt: float, fall_db: float) -> None:
    out = mic.noise_floor(np.random.default_rng(1), 160_000, RATE_HZ, -60.0, tilt)
    assert out.shape == (160_000,)
    assert dbfs(out) == pytest.approx(-60.0, abs=0.01)
    # Per hertz, a decade apart.
    fall = (power_db(out, 450, 550) - 10 * np.log10(100)) - (
        power_db(out, 4_500, 5_500) - 10 * np.log10(1_000)
    )
    assert fall == pytest.approx(fall_db, abs=0.7)
    assert mic.noise_floor(np.random.default_rng(1), 0, RATE_HZ, -60.0, tilt).shape == (0,)


def test_silence_and_lengths() -> None:
    for n in (0, 1, 100, 30 * RATE_HZ):
        out, _ = mic.microphone(np.random.default_rng(3), np.zeros(n, np.float32), RATE_HZ)
        assert out.shape == (n,)
        assert not out.any()
