from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.gate import EnergyGate
from aed_daemon.level import FLOOR_CDB, LevelFrames, LevelStream, NoiseFloor


def sine(dbfs_peak: float, count: int = 1_600) -> NDArray[np.float32]:
    amplitude = 10 ** (dbfs_peak / 20)
    return np.asarray(amplitude * np.sin(2 * np.pi * 1_000 * np.arange(count) / 16_000), np.float32)


@pytest.mark.parametrize("dbfs", [0.0, -6.0, -20.0, -60.0, -90.0])
def test_a_sine_has_its_level(dbfs: float) -> None:
    level = LevelStream(160).push(sine(dbfs))
    assert np.all(abs(level.rms_cdb - round(100 * (dbfs - 3.0103))) <= 1)
    assert np.all(abs(level.peak_cdb - round(100 * dbfs)) <= 1)
    assert level.clipped.all() == (dbfs == 0.0)


def test_digital_silence_is_the_floor_and_never_full_scale() -> None:
    level = LevelStream(160).push(np.zeros(480, np.float32))
    assert level.rms_cdb.tolist() == level.peak_cdb.tolist() == [FLOOR_CDB] * 3


def test_full_scale_of_the_spec_counts() -> None:
    level = LevelStream(160, full_scale=32_768.0).push(np.full(160, 32_768.0, np.float32))
    assert level.rms_cdb.tolist() == [0]
    assert level.clipped.tolist() == [True]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=6).filter(any), seed=st.integers(0, 1_000))
def test_stream_equals_batch(sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal(3_333).astype(np.float32)
    whole = LevelStream(160).push(samples)
    stream, parts, at = LevelStream(160), [], 0
    while at < len(samples):
        for size in sizes:
            parts.append(stream.push(samples[at : at + size]))
            at += size
    joined = LevelFrames.join(parts)
    for one, other in zip(whole, joined, strict=True):
        assert np.array_equal(one, other)


def test_a_reset_forgets_what_was_begun() -> None:
    stream = LevelStream(160)
    stream.push(np.full(100, np.nan, np.float32))
    stream.reset()
    assert np.array_equal(stream.push(sine(-20)).rms_cdb, LevelStream(160).push(sine(-20)).rms_cdb)


def test_the_floor_is_unknown_for_a_second() -> None:
    floor = NoiseFloor()
    for _ in range(99):
        floor.push(-6_000)
    assert not floor.settled
    floor.push(-6_000)
    assert floor.settled
    assert floor.cdb == -6_000


def test_the_floor_follows_quiet_at_once_and_noise_in_ten_seconds() -> None:
    floor = NoiseFloor()
    for level, seconds, expected in (
        (-6_000, 3, -6_000),
        (-8_000, 1, -8_000),
        (-4_000, 9, -8_000),
        (-4_000, 1, -4_000),
    ):
        for _ in range(seconds * 100):
            floor.push(level)
        assert floor.cdb == expected


def test_a_sound_does_not_raise_the_floor() -> None:
    floor = NoiseFloor()
    for _ in range(20):
        for level in [-6_000] * 50 + [-2_000] * 150:
            floor.push(level)
    assert floor.cdb == -6_000


def test_the_gate_has_hysteresis() -> None:
    gate = EnergyGate(-6_500, -7_000)
    levels = [-6_501, -6_500, -7_000, -7_001, -6_501, -6_500]
    assert [gate.passes(level) for level in levels] == [False, True, True, False, False, True]
    gate.reset()
    assert not gate.passes(-7_000)


def test_what_people_are_told_before_it_is_known_is_the_quietest_so_far() -> None:
    floor = NoiseFloor()
    assert floor.estimate_cdb == FLOOR_CDB
    for level, expected in ((-3_000, -3_000), (-5_000, -4_000)):
        floor.push(level)
        assert floor.estimate_cdb == expected
    for _ in range(58):
        floor.push(-6_000)
    assert not floor.settled
    assert floor.estimate_cdb == -6_000
    assert floor.cdb == FLOOR_CDB


@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 20.0])
def test_clipping_is_the_devices_whatever_the_gain(gain_db: float) -> None:
    gain = 10 ** (gain_db / 20)
    level = LevelStream(160, gain_db=gain_db)
    assert level.push(np.full(160, np.float32(gain))).clipped.tolist() == [True]
    assert level.push(np.full(160, np.float32(0.99 * gain))).clipped.tolist() == [False]
