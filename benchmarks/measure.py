"""Taking times: alternating runs, medians with their spread, programs timed by wall and processor."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""Environment that keeps the numerical libraries to the thread that calls them."""


class ProgramError(Exception):
    """A measured program failed; its figures would mean nothing."""


@dataclass(frozen=True)
class Samples:
    """Repeated measurements of one thing.

    Attributes
    ----------
    values : tuple of float
        In the order in which they were taken.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def scaled(self, factor: float) -> Samples:
        """Return them in another unit."""
        return Samples(tuple(value * factor for value in self.values))

    def spread(self, digits: int = 4) -> dict[str, float]:
        """Return median, extremes and count, rounded to significant digits."""
        found = {"median": self.median, "min": min(self.values), "max": max(self.values)}
        return {name: significant(value, digits) for name, value in found.items()} | {
            "runs": len(self.values)
        }


def significant(value: float, digits: int = 4) -> float:
    """Return a number rounded to significant digits; infinity as it is."""
    return float(f"{value:.{digits}g}")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed (nearest rank).

    Parameters
    ----------
    values : sequence of float
        At least one; misses are infinite.
    share : float
        Above 0, at most 1: 0.95 for the 95th percentile.
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    # Rounded first: 0.95 * 40 is a little more than 38 in binary.
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[rank - 1]


def alternate(work: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, Samples]:
    """Time functions in turn, so that what slows the machine slows all of them.

    Parameters
    ----------
    work : mapping of str to callable
        What to time, by name.
    rounds : int
        Times that each is called and measured.
    warm_up : int
        Times that each is called before.

    Returns
    -------
    dict of str to Samples
        Wall time of one call, s.
    """
    taken: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(-warm_up, rounds):
        for name, call in work.items():
            begun_s = time.perf_counter()
            call()
            elapsed_s = time.perf_counter() - begun_s
            if turn >= 0:
                taken[name].append(elapsed_s)
    return {name: Samples(tuple(values)) for name, values in taken.items()}


class Taken(NamedTuple):
    """What a program took, s: on the wall clock, and of the processors."""

    wall_s: float
    cpu_s: float


def take(command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> Taken:
    """Run a program to its end and return what it took; raises ProgramError where it fails."""
    environment = {**os.environ, **(environment or {})}
    begun_s = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begun_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stderr:
        process.stderr.close()
    if process.returncode != 0:
        raise ProgramError(f"it exited with {process.returncode}: {said.decode(errors='replace')[-500:]}")
    return Taken(wall_s, usage.ru_utime + usage.ru_stime)
