"""Excursions of scores over `threshold_off`: what a threshold decides on; and those that came to nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.rules import ClassRule

if TYPE_CHECKING:
    from aed_daemon.detector import Decision


class Excursion(NamedTuple):
    """A time in which a class was heard, from its first hop over `threshold_off` to its last.

    Attributes
    ----------
    rule : ClassRule
        The class.
    first_sample, last_sample : int
        `end_sample` of the first and of the last hop that was over it.
    best : int
        Largest (smoothed) score, in steps.
    strength : int
        Largest threshold, in steps, at which an event would have started: the score that was held
        for as long as `confirm` asks. An event starts in it if this reaches `threshold_on`.
    start_sample : int or None
        Onset of the event that came of it, where one did and this was told (see `Excursions.push`).
    """

    rule: ClassRule
    first_sample: int
    last_sample: int
    best: int
    strength: int
    start_sample: int | None


@dataclass
class _Course:
    """What is known of one class."""

    rule: ClassRule
    recent: deque[int] = field(init=False)
    held: deque[int] = field(init=False)
    first_sample: int | None = None
    last_sample: int = 0
    best: int = 0
    strength: int = 0
    start_sample: int | None = None

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=self.rule.smoothing_hops)
        self.held = deque(maxlen=self.rule.confirm_hops)

    def close(self) -> Excursion | None:
        if self.first_sample is None:
            return None
        parts = self.rule.smoothing_hops
        done = Excursion(
            self.rule,
            self.first_sample,
            self.last_sample,
            self.best // parts,
            self.strength // parts,
            self.start_sample,
        )
        self.first_sample, self.start_sample = None, None
        return done


class Excursions:
    """Follows scores as the tracker does, without a threshold to start at.

    For every threshold from `off_steps` on, the tracker starts exactly one event in each excursion
    whose `strength` reaches it, and none elsewhere; but for `cooldown_s` and `min_duration_s`, which
    suppress some of them.

    Parameters
    ----------
    rules : sequence of ClassRule
        The classes to follow.
    zero_point : int
        Output value of score 0.
    hop_length : int
        Samples of a frame's hop.
    """

    def __init__(self, rules: Sequence[ClassRule], zero_point: int, hop_length: int) -> None:
        self._zero_point, self._hop_length = zero_point, hop_length
        self._courses = [_Course(rule) for rule in rules]

    def push(
        self, end_sample: int, scores: NDArray[np.int8], starts: Sequence[tuple[str, int]] = ()
    ) -> list[Excursion]:
        """Take a hop and return the excursions that are over, in the order of the classes.

        Parameters
        ----------
        end_sample : int
            The first sample that the hop did not need; at every call larger than before.
        scores : ndarray, int8 (classes,)
            The network's output.
        starts : sequence of (str, int)
            Class and onset of the events that the tracker has started at this hop.
        """
        started, done = dict(starts), []
        for course in self._courses:
            rule = course.rule
            course.recent.append(int(scores[rule.index]) - self._zero_point)
            now = sum(course.recent) * rule.smoothing_hops // len(course.recent)
            course.held.append(now)
            if now >= rule.off_steps * rule.smoothing_hops:
                if course.first_sample is None:
                    course.first_sample, course.best, course.strength = end_sample, 0, 0
                course.last_sample = end_sample
                course.best = max(course.best, now)
                if len(course.held) == rule.confirm_hops:
                    course.strength = max(course.strength, min(course.held))
                course.start_sample = started.get(rule.slug, course.start_sample)
            elif end_sample - course.last_sample >= rule.end_after_frames * self._hop_length and (
                excursion := course.close()
            ):
                done.append(excursion)
        return done

    def finish(self) -> list[Excursion]:
        """Return those that are not over, and forget everything, as at a gap."""
        done = [excursion for course in self._courses if (excursion := course.close())]
        self._courses = [_Course(course.rule) for course in self._courses]
        return done


class NearMisses:
    """Finds where a score came near its threshold and no event came of it.

    Near is at least `threshold_off`; a near miss is told once the class has been unheard for
    `end_after_s`, with the best score that it had.

    Parameters
    ----------
    rules : list of ClassRule
        The classes.
    zero_point : int
        Output value of score 0.
    hop_length : int
        Samples of a frame's hop.
    """

    def __init__(self, rules: list[ClassRule], zero_point: int, hop_length: int = 160) -> None:
        self._excursions = Excursions(rules, zero_point, hop_length)
        self._end_sample = 0

    def push(self, decision: Decision) -> list[tuple[ClassRule, int]]:
        """Return the classes that have just missed, with their best score in steps."""
        done = []
        if decision.end_sample <= self._end_sample:  # it counts anew after a gap
            done = self._excursions.finish()
        self._end_sample = decision.end_sample
        done += self._excursions.push(decision.end_sample, decision.scores)
        return [(one.rule, one.best) for one in done if one.strength < one.rule.on_steps]
