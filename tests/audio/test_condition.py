"""PCM to one channel of float32: formats, channels, gain, DC blocker."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.audio.condition import Conditioner, DcBlocker, SampleFormat, decode_pcm

RATE = 48_000


@pytest.mark.parametrize(
    ("sample_format", "dtype", "values"),
    [
        ("s16", "<i2", [-(2**15), -1, 0, 1, 2**15 - 1]),
        ("s32", "<i4", [-(2**31), -(2**16), 0, 2**16, 2**30]),
        ("f32", "<f4", [-1.0, -0.25, 0.0, 0.25, 1.0]),
    ],
)
def test_pcm_has_full_scale_one(sample_format: SampleFormat, dtype: str, values: list[float]) -> None:
    full_scale = {"s16": 2.0**15, "s32": 2.0**31, "f32": 1.0}[sample_format]
    data = np.repeat(np.array(values, dtype), 2).tobytes()
    got = decode_pcm(data, sample_format, 2)
    assert got.shape == (5, 2)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, 0], np.array(values) / full_scale)
    np.testing.assert_array_equal(got[:, 0], got[:, 1])


def test_one_channel_or_the_mean_of_all() -> None:
    samples = np.random.default_rng(0).normal(size=(1_000, 3)).astype(np.float32)
    second = Conditioner(RATE, 1, 0.0, 0.0).push(samples)
    np.testing.assert_array_equal(second, samples[:, 1])
    mix = Conditioner(RATE, "mix", 0.0, 0.0).push(samples)
    np.testing.assert_allclose(mix, samples.mean(axis=1), atol=1e-6)


def test_gain_is_in_decibels() -> None:
    samples = np.full((10, 1), 0.01, np.float32)
    np.testing.assert_allclose(Conditioner(RATE, 0, 20.0, 0.0).push(samples), 0.1, rtol=1e-6)


def test_an_offset_is_gone_from_the_first_sample() -> None:
    at = np.arange(RATE) / RATE
    sound = 0.01 * np.sin(2 * np.pi * 1_000 * at)
    got = Conditioner(RATE, 0, 0.0, 10.0).push((0.4 + sound).astype(np.float32)[:, None])
    assert abs(float(got[:480].mean())) < 1e-4
    assert float(np.abs(got).max()) < 0.0102


@pytest.mark.parametrize(("frequency_hz", "least_db", "most_db"), [(125.0, -0.05, 0.05), (10.0, -3.2, -2.8)])
def test_the_dc_blockers_response(frequency_hz: float, least_db: float, most_db: float) -> None:
    at = np.arange(4 * RATE) / RATE
    got = DcBlocker(RATE, 10.0).push(np.sin(2 * np.pi * frequency_hz * at).astype(np.float32))
    gain_db = 20 * np.log10(np.sqrt(2) * got[2 * RATE :].std())
    assert least_db <= gain_db <= most_db


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=8),
    channel=st.sampled_from(["mix", 0, 1]),
    rate=st.sampled_from([8_000, 44_100, 192_000]),
    cutoff=st.sampled_from([0.0, 0.1, 10.0, 100.0]),
)
def test_stream_equals_batch(
    sizes: list[int], channel: int | Literal["mix"], rate: int, cutoff: float
) -> None:
    samples = (0.3 + np.random.default_rng(2).normal(size=(7_000, 2))).astype(np.float32)
    batch = Conditioner(rate, channel, 6.0, cutoff).push(samples)
    stream = Conditioner(rate, channel, 6.0, cutoff)
    parts = []
    at = turn = 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        parts.append(stream.push(samples[at : at + size]))
        at, turn = at + size, turn + 1
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(parts), batch)


def test_after_a_reset_nothing_of_before_is_left() -> None:
    samples = np.random.default_rng(3).normal(size=(2_500, 1)).astype(np.float32)
    used = Conditioner(RATE)
    used.push(samples + 5)
    used.reset()
    np.testing.assert_array_equal(used.push(samples), Conditioner(RATE).push(samples))


def test_what_is_not_a_number_stays_out_of_the_filters() -> None:
    samples = np.zeros((3_000, 1), np.float32)
    samples[5] = np.nan
    samples[6] = np.inf
    samples[7] = 3e38
    for how in (Conditioner(RATE), Conditioner(RATE, 0, 60.0, 0.0)):
        np.testing.assert_array_equal(how.push(samples), np.zeros(3_000))


def test_a_cutoff_beyond_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="too high"):
        DcBlocker(8_000, 2_000.0)
