"""How the daemon is: memory, processor time and the system clock, read from the kernel."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from aed_daemon.audio.clock import utc_offset_s

_TIME_ERROR = 5
"""adjtimex's return value for a clock that is not synchronised (man 2 adjtimex)."""

_TIMEX_BYTES = 512
"""More than struct timex has on any architecture."""


def pss_mb() -> float | None:
    """Return the proportional set size of this process and its children, MiB; None where unknown."""
    total_kb = 0
    try:
        own = os.getpid()
        for pid in [own, *_children(own)]:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return total_kb / 1024


def resident_mb() -> float | None:
    """Return the resident memory of this process alone, MiB; None where unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):  # it, or one of its threads, has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found + [grandchild for child in found for grandchild in _children(child)]


def tidy_memory() -> None:
    """Give back to the system what a reload has left behind; unused, it would stay with the process."""
    import ctypes

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


class CpuMeter:
    """Share of one core that this process and its children, running or ended, take."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._begun = (time.monotonic(), used_processor_s())

    def percent(self) -> float | None:
        """Return the share since it was made or started again, %; None if that is now."""
        now_s, (begun_s, used_before_s) = time.monotonic(), self._begun
        return 100.0 * (used_processor_s() - used_before_s) / (now_s - begun_s) if now_s > begun_s else None


def used_processor_s() -> float:
    """Return the processor time that this process and its children, running or ended, have taken, s."""
    times = os.times()
    ended_s = times.children_user + times.children_system
    # Those that run count too: else all that one ever took would be told when it ends.
    return times.user + times.system + ended_s + sum(map(_processor_s, _children(os.getpid())))


def _processor_s(pid: int) -> float:
    """Return what a process and its ended children have used; 0 where it is gone (man 5 proc, stat)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()  # its name, which may hold anything, comes before
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class ClockState:
    """Whether the system clock is synchronised; asked of the system by `refresh`, told at no cost.

    Parameters
    ----------
    ask : callable, optional
        Whether it is, now; None: `clock_synchronised`.
    offset_s : callable
        The system clock less the monotonic one, now.
    """

    _KEEP_S = 60.0
    _STEP_S = 0.5

    def __init__(
        self, ask: Callable[[], bool] | None = None, offset_s: Callable[[], float] = utc_offset_s
    ) -> None:
        self._ask, self._offset_s = ask or clock_synchronised, offset_s
        self._asked_s: float | None = None
        self._offset_before_s = offset_s()
        self._synced = False

    def refresh(self) -> float:
        """Ask the system, at most once a minute and when the clock was set; may take a moment.

        Returns
        -------
        float
            By how much it was set since the last call, in seconds; 0 for what slewing explains.
        """
        now_s, offset_s = time.monotonic(), self._offset_s()
        step_s, self._offset_before_s = offset_s - self._offset_before_s, offset_s
        was_set = abs(step_s) > self._STEP_S
        if was_set or self._asked_s is None or now_s - self._asked_s > self._KEEP_S:
            self._asked_s, self._synced = now_s, self._ask()
        return step_s if was_set else 0.0

    def __call__(self) -> bool:
        """Return what the last `refresh` found; False before the first."""
        return self._synced


def clock_synchronised() -> bool:
    """Return whether a time service keeps the system clock right; no answer counts as no.

    systemd-timesyncd leaves a file. Of chrony and ntpd the kernel knows, but a service with
    ProtectClock= may not ask it; systemd-timedated asks it on our behalf.
    """
    if Path("/run/systemd/timesync/synchronized").exists():
        return True
    import ctypes

    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # all zero: mode 0, read only
    try:
        state = int(ctypes.CDLL(None).adjtimex(timex))
    except (OSError, AttributeError):
        state = -1
    return state != _TIME_ERROR if state >= 0 else _timedated_says_so()


def _timedated_says_so() -> bool:
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5.0, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "yes"
