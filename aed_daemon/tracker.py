"""Scores in, events out: a pure state machine on integer frames and steps, without clock or I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.level import LevelFrames
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule


class Sound(NamedTuple):
    """How loud a sound has been.

    Attributes
    ----------
    rms_cdb, peak_cdb : int
        Loudest frame and largest sample since it began, 0.01 dBFS.
    floor_cdb : int
        Noise floor when it was first noticed, 0.01 dBFS.
    clipped : bool
        Whether a sample reached full scale.
    """

    rms_cdb: int
    peak_cdb: int
    floor_cdb: int
    clipped: bool

    @classmethod
    def of(cls, frames: LevelFrames, floor_cdb: int) -> Sound:
        """Return the level of a sound that consists of `frames`, at least one."""
        return cls(
            int(frames.rms_cdb.max()), int(frames.peak_cdb.max()), floor_cdb, bool(frames.clipped.any())
        )

    def joined(self, other: Sound) -> Sound:
        """Return the level of this sound followed by `other`."""
        return Sound(
            max(self.rms_cdb, other.rms_cdb),
            max(self.peak_cdb, other.peak_cdb),
            self.floor_cdb,
            self.clipped or other.clipped,
        )


class TrackEvent(NamedTuple):
    """A start, update or end, in frames since the last reset.

    Attributes
    ----------
    type : {"start", "update", "end"}
        As in `events.Event`.
    slug, label : str
        The class.
    track : int
        Number of the sound: the same in its start, its updates and its end.
    start_frame : int
        Onset.
    end_frame : int or None
        Offset: the first frame after the sound; None until the end.
    score, score_max, score_mean : float or None
        In steps of the output's quantisation above the score 0; None for the loud sound.
    sound : Sound
        Its level so far.
    reason : str or None
        Why an end is not the sound's own.
    """

    type: Literal["start", "update", "end"]
    slug: str
    label: str
    track: int
    start_frame: int
    end_frame: int | None
    score: float | None
    score_max: float | None
    score_mean: float | None
    sound: Sound
    reason: str | None


class Hop(NamedTuple):
    """One decision of the network.

    Attributes
    ----------
    first_frame, last_frame : int
        The level frames [first_frame, last_frame) that the patch was computed from.
    scores : ndarray, int8 (classes,)
        The network's output; all at score 0 where the gate was closed.
    """

    first_frame: int
    last_frame: int
    scores: NDArray[np.int8]


@dataclass
class _Heard:
    """A sound from when it is first noticed; it has started once `track` is set."""

    onset: int
    offset: int
    heard_at: int
    sound: Sound
    updated_at: int = 0
    hits: int = 0
    track: int | None = None
    now: int = 0
    best: int = 0
    best_published: int = 0
    total: int = 0
    hops: int = 0


@dataclass
class _ClassState:
    rule: ClassRule
    recent: deque[int] = field(init=False)
    heard: _Heard | None = None
    quiet_until: int = 0
    free_from: int = 0

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=self.rule.smoothing_hops)

    def retime(self, rule: ClassRule) -> None:
        before, self.rule = self.rule, rule
        self.recent = deque(self.recent, maxlen=rule.smoothing_hops)
        if self.heard is None:
            return
        heard, parts = self.heard, before.smoothing_hops
        for name in ("now", "best", "best_published", "total"):
            setattr(heard, name, getattr(heard, name) * rule.smoothing_hops // parts)
        if heard.hits and before.confirm_hops > 1:  # n hops in a row span n - 1 hop times
            spanned = (heard.hits - 1) * (rule.confirm_hops - 1) // (before.confirm_hops - 1)
            heard.hits = spanned + 1


class Tracker:
    """Turns hops into starts, updates and ends, class by class.

    Scores are averaged over `smoothing_hops`, as sums of integers. A sound is noticed when its
    score reaches `on_steps`; it starts once that has held for `confirm_hops` in a row and it has
    lasted `min_duration_frames`; it is heard while its score is at least `off_steps`; unheard for
    `end_after_frames`, it ends where it was last audible.

    Parameters
    ----------
    rules : sequence of ClassRule
        The classes to follow.
    levels : LevelHistory
        Must hold the levels of a hop's frames before the hop is pushed.
    zero_point : int
        Output value of score 0.
    update_frames : int
        Least frames between two updates of a sound.
    """

    def __init__(
        self, rules: Sequence[ClassRule], levels: LevelHistory, zero_point: int, update_frames: int
    ) -> None:
        self._rules = tuple(rules)
        self._levels = levels
        self._zero_point = zero_point
        self._update_frames = update_frames
        self.tracks = count()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the numbers given to sounds; `finish` first, or open sounds are lost."""
        self._states = [_ClassState(rule) for rule in self._rules]

    def retime(self, rules: Sequence[ClassRule]) -> None:
        """Go on under the same rules counted in hops of another length; sounds stay open.

        Parameters
        ----------
        rules : sequence of ClassRule
            As before but for `smoothing_hops` and `confirm_hops`. What has been averaged and
            confirmed so far counts by its share; a sound in the middle of its confirmation starts
            up to a hop later, never earlier.
        """
        self._rules = tuple(rules)
        for state, rule in zip(self._states, self._rules, strict=True):
            state.retime(rule)

    def retune(self, rules: Sequence[ClassRule]) -> None:
        """Go on with other thresholds; what has been heard so far stays, and so does how hops are counted.

        Raises
        ------
        ValueError
            For rules of other classes, or that differ in more than their thresholds.
        """
        if [_but_for_tuning(rule) for rule in self._rules] != [_but_for_tuning(rule) for rule in rules]:
            raise ValueError("only thresholds can be changed while sounds are followed")
        tuned = [
            replace(rule, on_steps=other.on_steps, off_steps=other.off_steps)
            for rule, other in zip(self._rules, rules, strict=True)
        ]
        self._rules = tuple(tuned)
        for state, rule in zip(self._states, self._rules, strict=True):
            state.rule = rule

    @property
    def open(self) -> dict[str, int]:
        """The sounds that have started and not ended: class to track."""
        return {
            state.rule.slug: state.heard.track
            for state in self._states
            if state.heard and state.heard.track is not None
        }

    def push(self, hop: Hop) -> list[TrackEvent]:
        """Take the next hop and return what it decides, in the order of the classes."""
        events: list[TrackEvent] = []
        for state in self._states:
            rule, recent = state.rule, state.recent
            recent.append(int(hop.scores[rule.index]) - self._zero_point)
            # The mean of the last scores, in smoothing_hops parts of a step.
            now = sum(recent) * rule.smoothing_hops // len(recent)
            if state.heard is None:
                if now < rule.on_steps * rule.smoothing_hops or hop.last_frame < state.quiet_until:
                    continue
                state.heard = self._notice(state, hop)
            event = self._follow(state, state.heard, hop, now)
            if event:
                events.append(event)
        return events

    def finish(self, reason: str | None) -> list[TrackEvent]:
        """End all sounds where they were last audible, and forget those that have not started."""
        events = [
            self._end(state, state.heard, reason)
            for state in self._states
            if state.heard and state.heard.track is not None
        ]
        for state in self._states:
            state.heard = None
        return events

    def _notice(self, state: _ClassState, hop: Hop) -> _Heard:
        reach = hop.first_frame - (hop.last_frame - hop.first_frame)
        earliest = min(max(0, reach, state.free_from), hop.last_frame - 1)
        onset = self._levels.onset(hop.first_frame, hop.last_frame, earliest)
        sound = Sound.of(self._levels.between(onset, hop.last_frame), self._levels.floor.estimate_cdb)
        return _Heard(onset, onset + 1, hop.last_frame, sound)

    def _follow(self, state: _ClassState, heard: _Heard, hop: Hop, now: int) -> TrackEvent | None:
        rule = state.rule
        audible = now >= rule.off_steps * rule.smoothing_hops
        heard.now, heard.best = now, max(heard.best, now)
        heard.total += now
        heard.hops += 1
        heard.hits = heard.hits + 1 if now >= rule.on_steps * rule.smoothing_hops else 0
        if audible:
            self._listen(heard, hop)
        if heard.track is None:
            return self._maybe_start(state, heard, hop, audible)
        if not audible and hop.last_frame - heard.heard_at >= rule.end_after_frames:
            state.heard = None
            return self._end(state, heard, None)
        if heard.best > heard.best_published and hop.last_frame - heard.updated_at >= self._update_frames:
            heard.updated_at, heard.best_published = hop.last_frame, heard.best
            return self._event("update", rule, heard, None)
        return None

    def _listen(self, heard: _Heard, hop: Hop) -> None:
        """Extend the sound by what the hop added."""
        if hop.last_frame > heard.heard_at:
            fresh = self._levels.between(max(heard.heard_at, hop.first_frame), hop.last_frame)
            heard.sound = heard.sound.joined(Sound.of(fresh, 0))
        heard.heard_at = hop.last_frame
        heard.offset = max(heard.offset, self._levels.offset(hop.first_frame, hop.last_frame))

    def _maybe_start(self, state: _ClassState, heard: _Heard, hop: Hop, audible: bool) -> TrackEvent | None:
        rule = state.rule
        if not audible:
            state.heard = None
        elif heard.hits >= rule.confirm_hops and heard.offset - heard.onset >= rule.min_duration_frames:
            heard.track = next(self.tracks)
            heard.updated_at, heard.best_published = hop.last_frame, heard.best
            return self._event("start", rule, heard, None)
        return None

    def _end(self, state: _ClassState, heard: _Heard, reason: str | None) -> TrackEvent:
        state.free_from = heard.offset
        state.quiet_until = heard.offset + state.rule.cooldown_frames
        return self._event("end", state.rule, heard, reason)

    @staticmethod
    def _event(
        kind: Literal["start", "update", "end"], rule: ClassRule, heard: _Heard, reason: str | None
    ) -> TrackEvent:
        return TrackEvent(
            type=kind,
            slug=rule.slug,
            label=rule.label,
            track=heard.track if heard.track is not None else -1,
            start_frame=heard.onset,
            end_frame=heard.offset if kind == "end" else None,
            score=heard.now / rule.smoothing_hops,
            score_max=heard.best / rule.smoothing_hops,
            score_mean=heard.total / (heard.hops * rule.smoothing_hops),
            sound=heard.sound,
            reason=reason,
        )


def _but_for_tuning(rule: ClassRule) -> ClassRule:
    """Return the rule without its thresholds and what is counted in hops."""
    return replace(rule, on_steps=0, off_steps=0, smoothing_hops=0, confirm_hops=0)
