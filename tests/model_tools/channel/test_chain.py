from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from model_tools.channel import chain
from tests.model_tools.channel.measures import RATE_HZ, calls, dbfs, lag_samples

STAGES = {
    "room": 0.5,
    "microphone": 0.8,
    "noise": 0.75,
    "overdrive": 0.1,
    "offset": 0.12,
    "suppression": 0.15,
    "loss": 0.08,
}


def many(count: int, seconds: float = 1.0) -> list[tuple[chain.Samples, str]]:
    sound = calls(seconds)
    return [chain.random_channel(np.random.default_rng([3, i]), sound, RATE_HZ) for i in range(count)]


def test_what_comes_out_is_aligned_whole_and_inside_full_scale() -> None:
    sound = calls(2.0)
    late = []
    for i in range(80):
        out, said = chain.random_channel(np.random.default_rng([1, i]), sound, RATE_HZ)
        assert out.dtype == np.float32
        assert out.shape == sound.shape
        assert np.isfinite(out).all(), said
        assert np.abs(out).max() <= 1.0, said
        assert -75.0 < dbfs(out) < 0.0, said
        if "room" not in said:  # there the loudest path need not be the first
            late.append(abs(lag_samples(sound, out)))
            assert late[-1] <= 0.01 * RATE_HZ, said
    assert len(late) > 25


def test_the_distribution_is_the_documented_one() -> None:
    said = [what for _, what in many(400)]
    for word, share in STAGES.items():
        found = sum(word in what for what in said) / len(said)
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / len(said)), word
    words = Counter(word for what in said for word in what.replace("|", " ").split())
    for name in (
        "opus",
        "amr",
        "gsm",
        "mp3",
        "aac",
        "g726",
        "g723.1",
        "rate",
        "telephone",
        "agc",
        "compressor",
    ):
        assert words[name] > 0, name
    assert words["mulaw"] + words["alaw"] > 0
    assert words["IMA_ADPCM"] + words["MS_ADPCM"] > 0


def test_the_weights_are_shares() -> None:
    assert sum(weight for weight, _, _ in chain.CODECS.values()) == pytest.approx(1.0)


def test_the_generator_decides() -> None:
    sound = calls(1.0)
    for seed in range(12):
        first, said = chain.random_channel(np.random.default_rng(seed), sound, RATE_HZ)
        again, said_again = chain.random_channel(np.random.default_rng(seed), sound, RATE_HZ)
        np.testing.assert_array_equal(first, again)
        assert said == said_again
    outs = [out.tobytes() for out, _ in many(12)]
    assert len(set(outs)) == 12


def test_it_does_not_write_into_its_input() -> None:
    sound = calls(0.5)
    kept = sound.copy()
    for seed in range(40):
        chain.random_channel(np.random.default_rng(seed), sound, RATE_HZ)
    np.testing.assert_array_equal(sound, kept)


@pytest.mark.parametrize("name", chain.CODECS)
def test_each_codec_of_the_chain_runs_with_all_its_settings(name: str) -> None:
    _, _, coder = chain.CODECS[name]
    said = set()
    for seed in range(25):
        out, what = coder(np.random.default_rng(seed), calls(0.3), RATE_HZ)
        assert out.shape == calls(0.3).shape
        said.add(what)
    assert len(said) > 1 or name in ("gsm", "g723_1")


@pytest.mark.parametrize("n", [0, 1, 3_200, 30 * RATE_HZ])
def test_any_length(n: int) -> None:
    sound = np.resize(calls(), n).astype(np.float32)
    for seed in range(12):
        out, _ = chain.random_channel(np.random.default_rng(seed), sound, RATE_HZ)
        assert out.shape == (n,)
        assert np.isfinite(out).all()


def test_silence_stays_quiet_and_full_scale_finite() -> None:
    for seed in range(30):
        out, said = chain.random_channel(np.random.default_rng(seed), np.zeros(RATE_HZ, np.float32), RATE_HZ)
        if "offset" not in said or "offset 0.000" in said:
            assert dbfs(out) < -40.0, said
        square = np.sign(calls(1.0) + np.float32(1e-9)).astype(np.float32)
        out, said = chain.random_channel(np.random.default_rng(seed), square, RATE_HZ)
        assert np.isfinite(out).all(), said
        assert np.abs(out).max() <= 1.0


def test_a_recorders_dither_is_not_made_loud() -> None:
    dither = np.rint(np.random.default_rng(1).uniform(-1.0, 1.0, RATE_HZ)).astype(np.float32) / 32_768
    for seed in range(60):
        out, said = chain.random_channel(np.random.default_rng(seed), dither, RATE_HZ)
        if "agc" not in said and ("offset" not in said or "offset 0.000" in said):
            assert dbfs(out) < -30.0, said


def test_active_level() -> None:
    sound = np.zeros(RATE_HZ, np.float32)
    sound[:1_600] = 0.1
    sound[1_600:3_200] = 0.01
    sound[3_200:4_800] = 0.001
    loudest, active = chain.active_level_dbfs(sound, RATE_HZ)
    assert loudest == pytest.approx(-20.0, abs=1e-3)
    assert active == pytest.approx(10 * np.log10((0.01 + 0.0001) / 2), abs=1e-3)
    assert chain.active_level_dbfs(np.zeros(0, np.float32), RATE_HZ)[0] == pytest.approx(-120.0)


def test_it_is_fast_enough_to_make_thousands() -> None:
    """The aim is 60 ms of processor time for five seconds; a slow machine gets three times that."""
    sound = calls(5.0)
    chain.random_channel(np.random.default_rng(0), sound, RATE_HZ)
    start = time.process_time()
    for i in range(40):
        chain.random_channel(np.random.default_rng([9, i]), sound, RATE_HZ)
    assert (time.process_time() - start) / 40 < 0.18
