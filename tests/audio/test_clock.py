"""Sample index to UTC: jitter must not move times, drift and absences must."""

from __future__ import annotations

import time

import numpy as np
import pytest

from aed_daemon.audio.clock import SampleClock, utc_offset_s

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
    assert clock.utc_s(0) == pytest.approx(100.0, abs=1e-4)
    clock.add(32_000, 107.0)
    assert clock.utc_s(0) == pytest.approx(105.0, abs=1e-4)


class SystemClock:
    """A system clock that somebody sets, beside a monotonic one that nobody can."""

    def __init__(self) -> None:
        self.offset_s = 1_000.0

    def offset(self) -> float:
        return self.offset_s

    def hear(self, clock: SampleClock, blocks: range) -> None:
        """Let blocks of 20 ms arrive, 4 ms late."""
        for block in blocks:
            clock.add(block * 320, self.offset_s + block * 0.02 + 0.004)


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0, 0.5, -0.5, 1.7e9])
def test_a_system_clock_that_is_set_is_followed_at_once(step_s: float) -> None:
    system = SystemClock()
    clock = SampleClock(RATE, exact=False, offset_s=system.offset)
    system.hear(clock, range(1, 100))
    assert clock.utc_s(320) == pytest.approx(1_000.024)
    system.offset_s += step_s
    assert clock.utc_s(320) == pytest.approx(1_000.024 + step_s)
    system.hear(clock, range(100, 200))
    assert clock.utc_s(320) == pytest.approx(1_000.024 + step_s), "the blocks say the same"


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0])
def test_a_block_that_straddles_the_step_spoils_nothing(step_s: float) -> None:
    system = SystemClock()
    clock = SampleClock(RATE, exact=False, offset_s=system.offset)
    system.hear(clock, range(1, 100))
    arrived_s = system.offset_s + 100 * 0.02 + 0.004
    system.offset_s += step_s
    clock.add(100 * 320, arrived_s)  # read before, told after
    system.hear(clock, range(101, 110))
    assert clock.utc_s(0) == pytest.approx(1_000.004 + step_s)


def test_a_clock_that_is_slewed_is_followed() -> None:
    """A time service that finds a small error lets the clock run faster, by 500 ppm at most."""
    system = SystemClock()
    clock = SampleClock(RATE, exact=False, offset_s=system.offset)
    for block in range(1, 3_000):
        system.offset_s += 0.02 * 500e-6
        system.hear(clock, range(block, block + 1))
    assert clock.utc_s(0) == pytest.approx(system.offset_s + 0.004, abs=1e-6)


def test_files_do_not_depend_on_the_system_clock() -> None:
    system = SystemClock()
    clock = SampleClock(RATE, exact=True, offset_s=system.offset)
    clock.add(0, 50.0)
    system.offset_s += 99.0
    assert clock.utc_s(16_000) == 51.0


def test_the_offset_is_the_difference_of_the_clocks() -> None:
    assert utc_offset_s() == pytest.approx(time.time() - time.monotonic(), abs=0.05)
