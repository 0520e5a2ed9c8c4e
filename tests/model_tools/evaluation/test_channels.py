from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.errors import AedError
from model_tools.channel.chain import active_level_dbfs
from model_tools.evaluation import channels
from tests.model_tools.channel.measures import (
    RATE_HZ,
    Samples,
    calls,
    dbfs,
    lag_samples,
    noise,
    power_db,
    spectral_distance_db,
    tone,
)

BACKGROUNDS = [noise(7.0, -30.0), tone(440.0, 2.0), calls(1.0, seed=9)]

every = pytest.mark.parametrize("name", channels.CHANNELS)


def apply(name: str, samples: Samples, seed: int = 1) -> Samples:
    return channels.apply(name, samples, RATE_HZ, seed, BACKGROUNDS)


def test_the_names_are_those_of_the_report() -> None:
    assert list(channels.CHANNELS) == ["phone_8k", "opus_12k", "gsm", "reverb", "quiet_30db", "snr_10db"]


@every
def test_it_is_aligned_whole_and_a_function_of_clip_and_seed(name: str) -> None:
    sound = calls()
    kept = sound.copy()
    for seed in range(5):
        out = apply(name, sound, seed)
        assert out.dtype == np.float32
        assert out.shape == sound.shape
        assert np.abs(out).max() <= 1.5
        assert abs(lag_samples(sound, out)) <= 0.01 * RATE_HZ
        np.testing.assert_array_equal(apply(name, sound, seed), out)
        assert not np.array_equal(out, sound)
    np.testing.assert_array_equal(sound, kept)


@pytest.mark.parametrize("name", ["reverb", "quiet_30db", "snr_10db"])
def test_another_seed_is_another_draw(name: str) -> None:
    assert not np.array_equal(apply(name, calls(), 1), apply(name, calls(), 2))


@every
@pytest.mark.parametrize("n", [0, 1, 3_200, 30 * RATE_HZ])
def test_any_length(name: str, n: int) -> None:
    out = apply(name, np.resize(calls(), n).astype(np.float32))
    assert out.shape == (n,)
    assert np.isfinite(out).all()


@every
def test_silence_stays_quiet(name: str) -> None:
    # GSM has no code for nothing: its least steps are at -66 dBFS.
    assert dbfs(apply(name, np.zeros(RATE_HZ, np.float32))) < (-60.0 if name == "gsm" else -75.0)


def test_phone_8k_has_nothing_above_4_khz_and_all_below() -> None:
    out = apply("phone_8k", noise())
    assert power_db(noise(), 4_050, 8_000) - power_db(out, 4_050, 8_000) > 80.0
    assert power_db(out, 100, 3_500) == pytest.approx(power_db(noise(), 100, 3_500), abs=0.1)
    low = tone(1_000.0)
    np.testing.assert_allclose(apply("phone_8k", low)[2_000:-2_000], low[2_000:-2_000], atol=1e-3)


def test_gsm_is_narrow_and_opus_wide() -> None:
    assert power_db(noise(), 4_200, 8_000) - power_db(apply("gsm", noise()), 4_200, 8_000) > 60.0
    assert power_db(calls(), 4_200, 7_000) - power_db(apply("opus_12k", calls()), 4_200, 7_000) < 6.0
    for name in ("gsm", "opus_12k"):
        out = apply(name, calls())
        assert dbfs(out - calls()) > dbfs(calls()) - 25.0
        assert spectral_distance_db(calls(), out, 3_500) < 8.0


def test_reverb_smears_a_click_over_its_time() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[3_200] = 0.9
    for seed in range(8):
        out = apply("reverb", click, seed)
        assert dbfs(out[:3_160]) < dbfs(out[3_200:6_400]) - 40.0
        assert np.abs(out[3_196:3_205]).max() > 0.3 * np.abs(out).max()  # the direct sound, in its place
        # From 0.1 to 0.3 s after it the level falls by a third of 60 dB, within the 15 % of the time.
        fall_db = dbfs(out[4_480:5_120]) - dbfs(out[7_680:8_320])
        assert fall_db == pytest.approx(20.0, abs=6.0)


def test_reverb_keeps_the_level_of_steady_noise() -> None:
    levels = [dbfs(apply("reverb", noise(), seed)[RATE_HZ:]) for seed in range(6)]
    assert levels == pytest.approx([dbfs(noise())] * 6, abs=1.0)


def test_quiet_30db_is_30_db_quieter_on_a_floor_of_95() -> None:
    out = apply("quiet_30db", calls())
    assert dbfs(out) == pytest.approx(dbfs(calls()) - 30.0, abs=0.05)
    steps = out * 32_768
    np.testing.assert_array_equal(steps, np.rint(steps))
    # -95 dBFS of the microphone and a quarter of a step squared, -96.3 dBFS.
    floor = apply("quiet_30db", np.zeros(10 * RATE_HZ, np.float32))
    assert dbfs(floor) == pytest.approx(10 * np.log10(10**-9.5 + 10**-9.633), abs=0.1)


def bursts() -> Samples:
    """Return half a second of tone, and half a second of it 12 dB quieter, in three seconds of nothing."""
    sound = np.zeros(3 * RATE_HZ, np.float32)
    sound[RATE_HZ : RATE_HZ + RATE_HZ // 2] = tone(2_000.0, 0.5, 0.4)
    sound[2 * RATE_HZ : 2 * RATE_HZ + RATE_HZ // 2] = tone(2_000.0, 0.5, 0.1)
    return sound


def test_snr_is_over_the_active_frames() -> None:
    sound = bursts()
    _, active_dbfs = active_level_dbfs(sound, RATE_HZ)
    assert active_dbfs == pytest.approx(10 * np.log10((0.4**2 + 0.1**2) / 4), abs=0.05)
    for seed in range(12):
        mixed = apply("snr_10db", sound, seed)
        assert active_dbfs - dbfs(mixed - sound) == pytest.approx(10.0, abs=0.01)


def test_all_backgrounds_and_places_are_used() -> None:
    kinds = {300: tone(300.0, 7.0), 1_000: tone(1_000.0, 7.0), 5_000: tone(5_000.0, 7.0)}
    picked, rests = set(), set()
    for seed in range(30):
        rest = channels.apply("snr_10db", bursts(), RATE_HZ, seed, list(kinds.values())) - bursts()
        picked.add(max(kinds, key=lambda hz: power_db(rest, hz - 50, hz + 50)))
        rests.add(rest.tobytes())
    assert picked == set(kinds)
    assert len(rests) == 30


def test_a_sum_beyond_full_scale_is_turned_down_whole() -> None:
    sound = tone(2_000.0, 1.0, 1.0)
    mixed = channels.apply("snr_10db", sound, RATE_HZ, 1, [noise(2.0)])
    assert np.abs(mixed).max() == pytest.approx(1.0)
    scale = np.vdot(mixed, sound) / np.vdot(sound, sound)
    assert dbfs(scale * sound) - dbfs(mixed - scale * sound) == pytest.approx(10.0, abs=0.1)


def test_a_background_that_pauses_is_not_caught_in_its_pause() -> None:
    sound = np.zeros(20 * RATE_HZ, np.float32)
    sound[: 2 * RATE_HZ] = noise(2.0)
    for seed in range(20):
        mixed = channels.apply("snr_10db", bursts(), RATE_HZ, seed, [sound])
        assert dbfs(mixed - bursts()) > -40.0


def test_what_is_missing_is_said() -> None:
    with pytest.raises(AedError, match="snr_10db needs sounds to mix in"):
        channels.apply("snr_10db", calls(), RATE_HZ, 1)
    with pytest.raises(AedError, match="none sounds"):
        channels.apply("snr_10db", calls(), RATE_HZ, 1, [np.zeros(100, np.float32)])
    with pytest.raises(AedError, match="no such channel: expected phone_8k or"):
        channels.apply("telegraph", calls(), RATE_HZ, 1)
