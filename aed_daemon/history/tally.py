"""Tally: one source's scores and excursions, counted by the hour."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.events import new_ulid
from aed_daemon.history.rows import STEPS, Hour, Sound
from aed_daemon.near_misses import Excursion, Excursions
from aed_daemon.rules import ClassRule

if TYPE_CHECKING:
    from aed_daemon.inference import Classifier

_HOUR_S = 3_600
_MOST_HOP_S = 2.0
"""Two hops that are further apart have something between them that nobody has heard."""


class HopSeen(NamedTuple):
    """A decision, as far as a history needs it.

    Attributes
    ----------
    source : str
        Its source.
    end_sample : int
        The first sample that it did not need, counted since the source opened.
    scores : ndarray, int8 (classes,)
        The network's output.
    starts : tuple of (str, int)
        Class and onset, as a sample index, of the events that it has started.
    at_ts : float
        When it fell, seconds since 1970.
    """

    source: str
    end_sample: int
    scores: NDArray[np.int8]
    starts: tuple[tuple[str, int], ...]
    at_ts: float


class Strength(NamedTuple):
    """How strong a sound was, of which an event tells: known once it is over."""

    source: str
    class_: str
    start_sample: int
    strength: float


@dataclass
class _Counted:
    hour_ts: int
    heard_s: float
    hops: int
    scores: NDArray[np.uint32]
    strengths: NDArray[np.uint32]


class Tally:
    """Counts what one source comes to.

    Parameters
    ----------
    node, source : str
        Names.
    classifier : Classifier
        Model and engine.
    rules : sequence of ClassRule
        The classes, with what decides on their events.
    """

    def __init__(self, node: str, source: str, classifier: Classifier, rules: Sequence[ClassRule]) -> None:
        manifest = classifier.manifest
        self._node, self._source, self._manifest = node, source, manifest
        self._engine = classifier.engine
        self._rules = tuple(rules)
        self._rate_hz = manifest.spec.sample_rate_hz
        self._window = (
            (manifest.spec.patch_frames - 1) * manifest.spec.hop_length
            + manifest.spec.window_offset
            + manifest.spec.win_length
        )
        self._excursions = Excursions(rules, manifest.output.zero_point, manifest.spec.hop_length)
        self._indices = np.asarray([rule.index for rule in rules], np.intp)
        self._rows = np.arange(len(rules))
        self._row_of = {rule.slug: row for row, rule in enumerate(rules)}
        self._end_sample: int | None = None
        self._at_ts = 0.0
        self._counted: _Counted | None = None
        self._full: list[Hour] = []
        self.near_misses: list[Sound] = []
        self.strengths: list[Strength] = []

    @property
    def rules(self) -> tuple[ClassRule, ...]:
        """What it counts under."""
        return self._rules

    def push(self, hop: HopSeen) -> None:
        """Take a hop."""
        before = self._end_sample
        if before is not None and hop.end_sample <= before:  # the source was opened anew
            self.finish()
            before = None
        counted = self._hour(hop.at_ts)
        if before is not None and hop.end_sample - before <= _MOST_HOP_S * self._rate_hz:
            counted.heard_s += (hop.end_sample - before) / self._rate_hz
        else:
            counted.heard_s += self._window / self._rate_hz
        self._end_sample, self._at_ts = hop.end_sample, hop.at_ts
        counted.hops += 1
        steps = hop.scores[self._indices].astype(np.intp) - self._manifest.output.zero_point
        counted.scores[self._rows, np.clip(steps, 0, STEPS - 1)] += 1
        self._take(self._excursions.push(hop.end_sample, hop.scores, hop.starts))

    def finish(self) -> None:
        """End what is open, as at a gap."""
        self._take(self._excursions.finish())
        self._end_sample = None

    def take_hours(self) -> list[Hour]:
        """Return what was counted since the last call."""
        if self._counted is not None:
            self._full += self._hours(self._counted)
            self._counted = None
        hours, self._full = self._full, []
        return hours

    def _hour(self, at_ts: float) -> _Counted:
        hour_ts = int(at_ts) // _HOUR_S * _HOUR_S
        if self._counted is None or self._counted.hour_ts != hour_ts:
            if self._counted is not None:
                self._full += self._hours(self._counted)
            shape = (len(self._rules), STEPS)
            self._counted = _Counted(hour_ts, 0.0, 0, np.zeros(shape, np.uint32), np.zeros(shape, np.uint32))
        return self._counted

    def _hours(self, counted: _Counted) -> Iterable[Hour]:
        for row, rule in enumerate(self._rules):
            yield Hour(
                counted.hour_ts,
                self._source,
                rule.slug,
                self._manifest.sha256,
                self._engine,
                rule_text(rule),
                rule.on_steps,
                self._manifest.output.scale,
                counted.heard_s,
                counted.hops,
                counted.scores[row],
                counted.strengths[row],
            )

    def _take(self, excursions: Iterable[Excursion]) -> None:
        scale = self._manifest.output.scale
        for one in excursions:
            self._hour(self._at_ts).strengths[self._row_of[one.rule.slug], min(one.strength, STEPS - 1)] += 1
            if one.start_sample is not None:
                strength = Strength(self._source, one.rule.slug, one.start_sample, one.strength * scale)
                self.strengths.append(strength)
            elif one.strength < one.rule.on_steps:
                self.near_misses.append(self._near_miss(one, scale))

    def _near_miss(self, one: Excursion, scale: float) -> Sound:
        """Return an excursion without an event; it begins with the window of its first hop."""
        start_sample = max(0, one.first_sample - self._window)
        heard_ago_s = ((self._end_sample or one.last_sample) - start_sample) / self._rate_hz
        start_ts = round(self._at_ts - heard_ago_s, 3)
        duration_s = (one.last_sample - start_sample) / self._rate_hz
        return Sound(
            id=new_ulid(start_ts),
            kind="near_miss",
            node=self._node,
            source=self._source,
            class_=one.rule.slug,
            start_ts=start_ts,
            end_ts=start_ts + duration_s,
            duration_s=duration_s,
            start_sample=start_sample,
            score_max=round(one.best * scale, 4),
            strength=one.strength * scale,
            model_name=self._manifest.name,
            model_sha256=self._manifest.sha256,
            engine=self._engine,
        )


def rule_text(rule: ClassRule) -> str:
    """Return what decides on the events of a class, beside the threshold, as JSON."""
    parts = {
        "off_steps": rule.off_steps,
        "smoothing_hops": rule.smoothing_hops,
        "confirm_hops": rule.confirm_hops,
        "min_duration_frames": rule.min_duration_frames,
        "cooldown_frames": rule.cooldown_frames,
        "end_after_frames": rule.end_after_frames,
    }
    return json.dumps(parts, separators=(",", ":"))
