"""The plan of a chaos run: which part is broken when, and for how long; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Step:
    """Something that is done to a part.

    Attributes
    ----------
    at_s : float
        Since the beginning of the run.
    part : str
        daemon, child, broker or network.
    what : str
        What is done.
    amount : float
        Of what is done: bytes until a cut, seconds of delay; else 0.
    """

    at_s: float
    part: str
    what: str
    amount: float = 0.0


@dataclass(frozen=True)
class Habit:
    """How often a part breaks and how long it stays broken, s; what breaks it, with weights, and mends it."""

    part: str
    fine_s: tuple[float, float]
    broken_s: tuple[float, float]
    breaks: dict[str, float]
    mends: tuple[str, ...]


HABITS = (
    Habit("daemon", (8.0, 40.0), (0.0, 3.0), {"kill": 2, "terminate": 1}, ("start",)),
    Habit("child", (6.0, 30.0), (0.0, 0.0), {"kill": 1}, ()),
    Habit("broker", (10.0, 45.0), (0.1, 8.0), {"kill": 2, "terminate": 2}, ("start", "start", "start empty")),
    Habit(
        "network",
        (3.0, 20.0),
        (0.1, 6.0),
        {"cut mid-packet": 3, "swallow": 1, "delay": 1, "refuse": 1, "cut": 1},
        ("restore",),
    ),
)
"""A broker that starts empty has forgotten everything, as one without persistence does."""

_CUT_BYTES = (20, 3_000)
_DELAY_S = (0.02, 0.5)


def plan(seed: int, seconds: float) -> list[Step]:
    """Return the steps of a run, in order; every part is mended by its end or shortly after."""
    steps: list[Step] = []
    for habit in HABITS:
        chance = random.Random(f"{seed} {habit.part}")  # noqa: S311 - reproducible on purpose
        steps += _steps(habit, chance, seconds)
    return sorted(steps)


def _steps(habit: Habit, chance: random.Random, seconds: float) -> Iterator[Step]:
    at_s = chance.uniform(*habit.fine_s)
    while at_s < seconds:
        what = chance.choices(list(habit.breaks), list(habit.breaks.values()))[0]
        yield Step(at_s, habit.part, what, _amount(what, chance))
        if habit.mends:
            at_s += chance.uniform(*habit.broken_s)
            yield Step(at_s, habit.part, chance.choice(habit.mends))
        at_s += chance.uniform(*habit.fine_s)


def _amount(what: str, chance: random.Random) -> float:
    if what == "cut mid-packet":
        return float(chance.randrange(*_CUT_BYTES))
    return chance.uniform(*_DELAY_S) if what == "delay" else 0.0
