from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from aed_daemon.health import ClockState, CpuMeter, clock_synchronised, pss_mb


def test_memory_is_the_kernels_figure_over_all_processes() -> None:
    code = "data = bytearray(50_000_000); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with_child = pss_mb()
        expected = sum(
            process.memory_full_info().pss / 2**20
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]
        )
        child.communicate(b"\n")
    alone = pss_mb()
    assert with_child is not None
    assert alone is not None
    assert with_child == pytest.approx(expected, rel=0.05)
    assert with_child - alone > 45


def test_processor_time_is_a_share_of_one_core() -> None:
    meter = CpuMeter()
    used_until = time.process_time() + 0.2
    while time.process_time() < used_until:
        pass
    percent = meter.percent()
    assert percent is not None
    assert 1 < percent <= 100 * (os.cpu_count() or 1)


def test_a_childs_processor_time_counts_when_it_is_used() -> None:
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    meter = CpuMeter()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        began_s = time.monotonic()
        assert child.stdout is not None
        child.stdout.readline()
        read_s = time.monotonic()
        percent = meter.percent()
        meter.restart()
        child.communicate(b"\n")
    ended = meter.percent()
    assert percent is not None
    assert ended is not None
    assert percent / 100 * (read_s - began_s) == pytest.approx(0.5, abs=0.25)
    assert ended / 100 * (time.monotonic() - read_s) < 0.25, "what it took before is not told again"


def test_a_clock_that_was_set_is_told_and_asked_for_again() -> None:
    answers, offset_s = [False, True], [5.0]
    state = ClockState(lambda: answers.pop(0), lambda: offset_s[0])
    assert (state.refresh(), state()) == (0.0, False)
    offset_s[0] += 0.01  # slewed
    assert (state.refresh(), state()) == (0.0, False)
    offset_s[0] += 1.7e9  # a board without a clock of its own has found its time server
    assert (state.refresh(), state()) == (1.7e9, True)
    assert state.refresh() == 0.0


def test_the_clock_state_is_asked_for_not_guessed() -> None:
    state = ClockState()
    assert state() is False
    state.refresh()
    assert state() == clock_synchronised()
