"""Sample index to UTC: jitter must not move times, drift and absences must."""

from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.audio.clock import SampleClock

RATE = 16_000


def test_before_the_first_block_there_is_no_time() -> None:
    assert SampleClock(RATE, exact=False).utc_s(0) is None


def test_jitter_does_not_move_times() -> None:
    clock = SampleClock(RATE, exact=False)
    random = np.random.default_rng(1)
    errors = []
    for block in range(1, 3_000):
        end = block * 320
        clock.add(end, 5_000.0 + end / RATE + 0.004 + random.exponential(0.03))
        utc_s = clock.utc_s(end)
        assert utc_s is not None
        errors.append(utc_s - end / RATE - 5_000.004)
    settled = np.array(errors[200:])
    assert settled.min() >= -1e-6
    assert settled.max() < 0.003


def test_a_clock_that_runs_fast_is_followed() -> None:
    clock = SampleClock(RATE, exact=False)
    for block in range(1, 10_000):
        clock.add(block * 320, 100.0 + block * 0.02 * (1 - 200e-6))
    expected_s = 100.0 + 9_999 * 0.02 * (1 - 200e-6)
    assert clock.utc_s(9_999 * 320) == pytest.approx(expected_s, abs=0.003)


def test_files_keep_their_first_origin_exactly() -> None:
    clock = SampleClock(RATE, exact=True)
    clock.add(0, 1_000.0)
    clock.add(16_000, 1_000.5)
    clock.restart()
    assert clock.utc_s(32_000) == 1_002.0


def test_after_an_absence_the_old_origin_holds_until_a_block_arrives() -> None:
    clock = SampleClock(RATE, exact=False)
    clock.add(16_000, 101.0)
    clock.restart()
    assert clock.utc_s(0) == 100.0
    clock.add(32_000, 107.0)
    assert clock.utc_s(0) == 105.0
