from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel.room import convolve, reverberate, reverberation_time_s, room_response
from tests.model_tools.channel.measures import RATE_HZ, band, calls, dbfs, lag_samples, noise


def decaying_noise(rt60_s: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    t = np.arange(int(2 * rt60_s * RATE_HZ)) / RATE_HZ
    return np.asarray(np.random.default_rng(3).standard_normal(len(t)) * 10 ** (-3 * t / rt60_s), np.float32)


@pytest.mark.parametrize("rt60_s", [0.1, 0.6, 1.2])
def test_the_measure_finds_a_known_decay(rt60_s: float) -> None:
    assert reverberation_time_s(decaying_noise(rt60_s), RATE_HZ) == pytest.approx(rt60_s, rel=0.04)


def test_the_measure_refuses_what_does_not_decay() -> None:
    with pytest.raises(ValueError, match="less than 35 dB"):
        reverberation_time_s(np.ones(1_000, np.float32), RATE_HZ)


@pytest.mark.parametrize("rt60_s", [0.1, 0.3, 0.6, 1.2])
def test_responses_decay_as_asked(rt60_s: float) -> None:
    times, treble = [], []
    for seed in range(12):
        response = room_response(np.random.default_rng(seed), RATE_HZ, rt60_s, -3.0)
        late = response[int(0.04 * RATE_HZ) :]  # without the direct sound and the single reflections
        times.append(reverberation_time_s(band(late, 400.0, 1_400.0), RATE_HZ))
        treble.append(reverberation_time_s(band(late, 5_700.0, 7_900.0), RATE_HZ))
    # One response of noise is off by some per cent itself; filtering spreads the shortest.
    assert np.mean(times) == pytest.approx(rt60_s, rel=0.06 if rt60_s > 0.2 else 0.15)
    assert max(abs(np.array(times) / rt60_s - 1.0)) < 0.25
    assert np.mean(treble) < 0.85 * np.mean(times)


def test_energy_and_the_direct_sounds_share_of_it() -> None:
    for ratio_db in (-14.0, 0.0, 15.0):
        response = room_response(np.random.default_rng(4), RATE_HZ, 0.5, ratio_db).astype(np.float64)
        assert np.sum(response**2) == pytest.approx(1.0, rel=1e-4)
        measured_db = 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2))
        assert measured_db == pytest.approx(ratio_db, abs=0.01)
        assert response[0] > 0.0


def test_noise_keeps_its_level_and_sounds_their_time() -> None:
    for seed in range(10):
        out, time_s, ratio_db = reverberate(np.random.default_rng(seed), noise(), RATE_HZ)
        assert 0.1 <= time_s <= 1.2
        assert -14.0 <= ratio_db <= 15.0
        assert dbfs(out[-RATE_HZ:]) == pytest.approx(dbfs(noise()[-RATE_HZ:]), abs=1.0)
        near, _, _ = reverberate(
            np.random.default_rng(seed), calls(), RATE_HZ, direct_to_reverberant_db=(0.0, 0.0)
        )
        assert lag_samples(calls(), near) == 0


def test_a_room_fills_the_gaps() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[4_000] = 0.9
    out, _, _ = reverberate(
        np.random.default_rng(1), click, RATE_HZ, rt60_s=(0.8, 0.8), direct_to_reverberant_db=(0.0, 0.0)
    )
    assert np.abs(out[:4_000]).max() < 1e-6  # nothing before its time
    assert dbfs(out[7_200:8_800]) - dbfs(out[10_400:12_000]) == pytest.approx(60 * 0.2 / 0.8, rel=0.35)


def test_the_generator_decides() -> None:
    first, *_ = reverberate(np.random.default_rng(7), calls(), RATE_HZ)
    again, *_ = reverberate(np.random.default_rng(7), calls(), RATE_HZ)
    other, *_ = reverberate(np.random.default_rng(8), calls(), RATE_HZ)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_convolution_is_numpys() -> None:
    response = noise(0.05)
    np.testing.assert_allclose(
        convolve(calls(0.5), response), np.convolve(calls(0.5), response)[: RATE_HZ // 2], atol=2e-6
    )
    for n in (0, 1, 50):
        assert convolve(calls(0.5)[:n], response).shape == (n,)
