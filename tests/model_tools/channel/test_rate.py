from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel.rate import Filter, convert, fit, sampled_at
from tests.model_tools.channel.measures import RATE_HZ, calls, dbfs, lag_samples, noise, power_db, tone

KINDS: tuple[Filter, ...] = ("sharp", "short", "linear")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through_hz", [8_000, 11_025])
def test_it_is_aligned_and_as_long(through_hz: int, kind: Filter) -> None:
    for seconds in (0.0, 0.0001, 0.2, 3.0, 30.0):
        sound = calls(seconds) if seconds > 0.1 else noise(seconds)
        out = sampled_at(sound, RATE_HZ, through_hz, kind)
        assert out.dtype == np.float32
        assert out.shape == sound.shape
        if seconds > 0.1:
            assert abs(lag_samples(sound, out)) <= 2
    assert dbfs(sampled_at(np.zeros(RATE_HZ, np.float32), RATE_HZ, through_hz, kind)) < -150.0


@pytest.mark.parametrize(("through_hz", "pass_hz"), [(8_000, 3_500), (11_025, 4_900)])
def test_a_sharp_filter_leaves_the_band_and_nothing_above(through_hz: int, pass_hz: int) -> None:
    sound = noise()
    out = sampled_at(sound, RATE_HZ, through_hz)
    assert power_db(out, 100, pass_hz) == pytest.approx(power_db(sound, 100, pass_hz), abs=0.1)
    above = through_hz / 2 + 50
    assert power_db(sound, above, 8_000) - power_db(out, above, 8_000) > 80.0


@pytest.mark.parametrize("kind", ["short", "linear"])
def test_a_cheap_converter_lets_aliases_and_images_through(kind: Filter) -> None:
    aliased = sampled_at(tone(5_000.0), RATE_HZ, 8_000, kind)
    assert -60.0 < power_db(aliased, 2_900, 3_100) - power_db(tone(5_000.0), 4_900, 5_100) < -3.0
    imaged = sampled_at(tone(3_000.0), RATE_HZ, 8_000, kind)
    assert -60.0 < power_db(imaged, 4_900, 5_100) - power_db(tone(3_000.0), 2_900, 3_100) < -3.0
    sharp = sampled_at(tone(5_000.0), RATE_HZ, 8_000)
    assert power_db(sharp, 2_900, 3_100) < -80.0


def test_convert_keeps_time() -> None:
    there = convert(calls(), RATE_HZ, 11_025)
    assert len(there) == int(np.ceil(len(calls()) * 11_025 / RATE_HZ))
    assert lag_samples(calls(), fit(convert(there, 11_025, RATE_HZ), len(calls()))) == 0


def test_fit_cuts_and_fills() -> None:
    np.testing.assert_array_equal(fit(np.ones(3), 5), [1.0, 1.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(fit(np.ones(3), 2), [1.0, 1.0])
