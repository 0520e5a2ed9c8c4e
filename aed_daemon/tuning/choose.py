"""Choosing thresholds: as low as a wanted rate of false alarms allows, and no promise without evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from aed_daemon.tuning.evidence import Evidence
from aed_daemon.tuning.poisson import count_to_promise, lower, upper

DAY_S = 86_400.0


@dataclass(frozen=True)
class Proposal:
    """What is proposed for a class.

    Attributes
    ----------
    evidence : Evidence
        What it rests on.
    steps : int or None
        The threshold, which holds whatever the unlabelled sounds are; None: none keeps to the rate.
    least_steps : int or None
        What it would be if they were all right.
    """

    evidence: Evidence
    steps: int | None
    least_steps: int | None

    @property
    def decided(self) -> bool:
        """Whether the labels settle it."""
        if self.steps is None or self.least_steps is None:
            return False
        return self.steps == self.least_steps or not self.evidence.unlabelled()[self.least_steps]

    @property
    def to_label(self) -> int:
        """How many sounds would have to be labelled to settle it."""
        if self.least_steps is None or self.decided:
            return 0
        return int(self.evidence.unlabelled()[self.least_steps])

    @property
    def false_alarms(self) -> int:
        """False alarms that it would have let through, unlabelled sounds among them."""
        return 0 if self.steps is None else int(self.evidence.possibly_false()[self.steps])

    @property
    def kept(self) -> float | None:
        """Share of the sounds that were called right or missed which it finds."""
        kept = self.evidence.kept()
        return None if kept is None or self.steps is None else float(kept[self.steps])


@dataclass(frozen=True)
class Support:
    """Whether what was logged carries a promise.

    Attributes
    ----------
    wanted_per_day : float
        False alarms in 24 hours of sound, of all classes together.
    heard_s : float
        Sound that was listened to, s.
    needed_s : float
        Sound that it takes.
    false_alarms : int
        How many the proposals would have let through.
    """

    wanted_per_day: float
    heard_s: float
    needed_s: float
    false_alarms: int

    @property
    def enough(self) -> bool:
        """Whether it carries it."""
        return self.heard_s >= self.needed_s

    @property
    def per_day(self) -> tuple[float, float, float]:
        """Return false alarms a day: the least, the likeliest and the most that the count allows (90 %)."""
        days = self.heard_s / DAY_S
        return lower(self.false_alarms) / days, self.false_alarms / days, upper(self.false_alarms) / days


def choose(evidence: Sequence[Evidence], per_day: float, *, assume_wrong: bool) -> list[Proposal]:
    """Return a proposal for each class; together they keep to `per_day` false alarms.

    Each class is allowed the same rate, as high as all together can have; one that does not use it
    up leaves it to the others.

    Parameters
    ----------
    evidence : sequence of Evidence
        The classes, with sound that was listened to.
    per_day : float
        False alarms in 24 hours of sound, of all classes together.
    assume_wrong : bool
        Whether everything that was not called right is a false alarm. Otherwise it is not known,
        and a threshold is settled only where it is the same for both.
    """
    strict = _thresholds(evidence, per_day, Evidence.possibly_false)
    lenient = strict if assume_wrong else _thresholds(evidence, per_day, Evidence.surely_false)
    return [Proposal(*found) for found in zip(evidence, strict, lenient, strict=True)]


def support(proposals: Sequence[Proposal], per_day: float) -> Support:
    """Return whether the hours carry the promise of the proposals that are settled."""
    heard_s = min((one.evidence.heard_s for one in proposals), default=0.0)
    false_alarms = sum(one.false_alarms for one in proposals if one.decided)
    return Support(per_day, heard_s, count_to_promise() * DAY_S / per_day, false_alarms)


def probability(steps: int, scale: float) -> float:
    """Return a threshold to write: four decimals, and the same number of steps when it is read."""
    return floor(steps * scale * 1e4 + 1e-6) / 1e4


def _thresholds(
    evidence: Sequence[Evidence], per_day: float, count: Callable[[Evidence], NDArray[np.int64]]
) -> list[int | None]:
    rates = [count(one) / one.heard_s * DAY_S for one in evidence]
    allowances = sorted({float(rate) for one in rates for rate in one})
    best: list[int | None] = [None] * len(evidence)
    for allowed in allowances:
        found = [_lowest(one, rate, allowed) for one, rate in zip(evidence, rates, strict=True)]
        total = sum(float(rate[steps]) for rate, steps in zip(rates, found, strict=True) if steps is not None)
        if total > per_day * (1 + 1e-9):
            break
        best = found
    return best


def _lowest(evidence: Evidence, rate: NDArray[np.float64], allowed: float) -> int | None:
    """Return the lowest threshold whose rate is allowed; never under `threshold_off`."""
    fitting = np.flatnonzero(rate[evidence.off_steps :] <= allowed * (1 + 1e-9))
    return int(fitting[0]) + evidence.off_steps if len(fitting) else None
