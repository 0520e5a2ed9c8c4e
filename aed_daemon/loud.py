"""The loud sound event: the level over the noise floor, whatever the network says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from aed_daemon.level import LevelFrames
from aed_daemon.manifest import LOUD_SOUND
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import LoudRule
from aed_daemon.tracker import Sound, TrackEvent

LABEL = "Loud sound"


class LoudTracker:
    """Starts when the level stands out of the noise floor for long enough, ends when it has sunk back.

    Parameters
    ----------
    rule : LoudRule
        Levels and times.
    levels : LevelHistory
        Receives the frames that are pushed here.
    tracks : iterator of int
        Numbers for its sounds, shared with the class tracker.
    """

    def __init__(self, rule: LoudRule | None, levels: LevelHistory, tracks: Iterator[int]) -> None:
        self._rule, self._levels, self._tracks = rule, levels, tracks
        self.reset()

    def reset(self) -> None:
        """Forget the past; `finish` first, or an open sound is lost."""
        self._onset: int | None = None
        self._track: int | None = None
        self._last_loud = 0
        self._sound = Sound(0, 0, 0, False)
        self._quiet_until = 0

    def retune(self, rule: LoudRule | None) -> None:
        """Go on with other levels; what is loud already stays."""
        if (rule is None) != (self._rule is None):
            raise ValueError("the loud sound cannot be switched while it is followed")
        self._rule = rule

    @property
    def open_track(self) -> int | None:
        """The sound that has started and not ended."""
        return self._track

    def push(self, frames: LevelFrames) -> list[TrackEvent]:
        """Take the next frames, hand them on to the history, and return what they decide."""
        first = self._levels.end
        floors = self._levels.push(frames)
        if self._rule is None:
            return []
        starts_at = np.maximum(floors + self._rule.snr_cdb, self._rule.min_level_cdb)
        if self._onset is None and not (frames.rms_cdb >= starts_at).any():
            return []
        events: list[TrackEvent] = []
        for position, least in enumerate(starts_at.tolist()):
            one = frames.cut(slice(position, position + 1))
            event = self._frame(self._rule, one, first + position, int(floors[position]), least)
            if event:
                events.append(event)
        return events

    def finish(self, reason: str | None) -> list[TrackEvent]:
        """End the sound that is open."""
        events = [self._end(reason)] if self._track is not None else []
        self._onset = None
        return events

    def _frame(
        self, rule: LoudRule, one: LevelFrames, now: int, floor_cdb: int, least: int
    ) -> TrackEvent | None:
        started = self._track is not None
        loud = int(one.rms_cdb[0]) >= (least - rule.hysteresis_cdb if started else least)
        if self._onset is None:
            if not loud or now < self._quiet_until:
                return None
            self._onset, self._sound = now, Sound.of(one, floor_cdb)
        if loud:
            self._last_loud = now
            self._sound = self._sound.joined(Sound.of(one, 0))
        if started:
            if loud or now - self._last_loud < rule.end_after_frames:
                return None
            return self._end(None)
        if not loud:
            self._onset = None
        elif now + 1 - self._onset >= rule.min_duration_frames:
            self._track = next(self._tracks)
            return self._event("start", None, None)
        return None

    def _end(self, reason: str | None) -> TrackEvent:
        event = self._event("end", self._last_loud + 1, reason)
        self._track = self._onset = None
        self._quiet_until = self._last_loud + 1 + (self._rule.cooldown_frames if self._rule else 0)
        return event

    def _event(self, kind: Literal["start", "end"], end_frame: int | None, reason: str | None) -> TrackEvent:
        return TrackEvent(
            type=kind,
            slug=LOUD_SOUND,
            label=LABEL,
            track=self._track if self._track is not None else -1,
            start_frame=self._onset if self._onset is not None else 0,
            end_frame=end_frame,
            score=None,
            score_max=None,
            score_mean=None,
            sound=self._sound,
            reason=reason,
        )
