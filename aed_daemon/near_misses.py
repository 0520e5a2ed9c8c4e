"""Near misses: sounds whose score came near its threshold, or reached it, and started no event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aed_daemon.detector import Decision
from aed_daemon.rules import ClassRule


class NearMiss(NamedTuple):
    """What nearly was an event.

    Attributes
    ----------
    rule : ClassRule
        The class, and what it would have needed.
    best : int
        Its best score in steps above score 0. At `rule.on_steps` or more, it was too short: for its
        confirmation, its smoothing or its least duration.
    """

    rule: ClassRule
    best: int


class NearMisses:
    """Finds near misses of one source in its decisions.

    Near is at least `threshold_off`; a near miss is told when the score has fallen below that again,
    with the best that it had, unless its sound had started by then.

    Parameters
    ----------
    rules : sequence of ClassRule
        The classes.
    zero_point : int
        Output value of score 0.
    """

    def __init__(self, rules: Sequence[ClassRule], zero_point: int) -> None:
        self._rules, self._zero_point = tuple(rules), zero_point
        self._begin()

    def _begin(self) -> None:
        self._best: dict[str, int] = {}
        self._open: set[str] = set()
        self._end_sample = 0

    def retune(self, rules: Sequence[ClassRule]) -> None:
        """Go on with other thresholds."""
        self._rules = tuple(rules)

    def push(self, decision: Decision) -> list[NearMiss]:
        """Return what has just missed."""
        if decision.end_sample <= self._end_sample:  # sound was lost: all that was near or open has ended
            self._begin()
        self._end_sample = decision.end_sample
        for event in decision.events:
            if event.type == "start":
                self._open.add(event.slug)
                self._best.pop(event.slug, None)
            elif event.type == "end":
                self._open.discard(event.slug)
        missed = []
        for rule in self._rules:
            if rule.slug in self._open:
                continue
            steps = int(decision.scores[rule.index]) - self._zero_point
            if steps >= rule.off_steps:
                self._best[rule.slug] = max(steps, self._best.get(rule.slug, 0))
            elif best := self._best.pop(rule.slug, 0):
                missed.append(NearMiss(rule, best))
        return missed
