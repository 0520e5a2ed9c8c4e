from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule
from aed_daemon.tracker import Hop, Tracker, TrackEvent
from tests.golden.tracker.make import FOLDER as GOLDEN
from tests.golden.tracker.make import play
from tests.rules import HOP, PATCH, frames, rule

QUIET, LOUD = -6_000, -2_000


class Stage:
    """Runs a tracker over scores, one per hop, and levels, one per frame."""

    def __init__(self, *rules: ClassRule, update_frames: int = 500) -> None:
        self.levels = LevelHistory(288)
        self.tracker = Tracker(rules or [rule()], self.levels, -128, update_frames)
        self.first = 0

    def play(
        self, scores: Sequence[int | tuple[int, ...]], levels: list[int] | None = None
    ) -> list[TrackEvent]:
        events = []
        for score in scores:
            needed = self.first + PATCH - self.levels.end
            fresh = [QUIET] * needed if levels is None else levels[self.levels.end : self.levels.end + needed]
            self.levels.push(frames(fresh))
            values = np.asarray(score if isinstance(score, tuple) else (score,)) - 128
            events += self.tracker.push(Hop(self.first, self.first + PATCH, values.astype(np.int8)))
            self.first += HOP
        return events


def kinds(events: list[TrackEvent]) -> list[str]:
    return [event.type for event in events]


def test_a_sound_starts_at_once_and_ends_after_its_silence() -> None:
    stage = Stage(rule(end_after_frames=48))
    assert kinds(stage.play([0, 149])) == []
    (start,) = stage.play([150])
    assert (start.type, start.slug, start.score) == ("start", "dog", 150)
    assert kinds(stage.play([100, 89])) == []
    (end,) = stage.play([0])
    assert (end.type, end.track, end.start_frame) == ("end", start.track, start.start_frame)
    assert (end.score_max, end.score_mean) == (150, (150 + 100 + 89 + 0) / 4)
    assert end.reason is None


def test_onset_and_offset_are_refined_by_the_level() -> None:
    levels = [QUIET] * 200 + [LOUD] * 30 + [QUIET] * 400
    stage = Stage()
    hops_heard = [
        score for first in range(0, 500, HOP) for score in [200 if first + PATCH > 210 > first else 0]
    ]
    start, end = stage.play(hops_heard, levels)
    assert start.start_frame == end.start_frame == 200
    assert end.end_frame == 230
    assert start.sound.rms_cdb == LOUD
    assert start.sound.floor_cdb == QUIET
    assert start.sound.peak_cdb == LOUD + 1_000


def test_confirm_needs_hops_in_a_row() -> None:
    stage = Stage(rule(confirm_hops=3))
    assert kinds(stage.play([150, 150, 120, 150, 150])) == []
    assert kinds(stage.play([150])) == ["start"]


def test_what_is_noticed_and_gone_again_never_starts() -> None:
    stage = Stage(rule(confirm_hops=3))
    assert kinds(stage.play([150, 150, 0, 150, 150, 0, 0, 0, 0, 0, 0])) == []
    assert stage.tracker.finish("shutdown") == []


def test_min_duration_counts_from_onset_to_offset() -> None:
    levels = [QUIET] * 100 + [LOUD] * 60 + [QUIET] * 300
    heard = [0, 150, 150, 150, 0, 0, 0, 0, 0, 0]
    assert kinds(Stage(rule(min_duration_frames=60)).play(heard, levels)) == ["start", "end"]
    assert kinds(Stage(rule(min_duration_frames=61)).play(heard, levels)) == []


def test_cooldown_holds_the_next_start_back() -> None:
    once = [150, 0, 0, 0, 0, 0]
    assert kinds(Stage(rule(cooldown_frames=0)).play(once * 2)) == ["start", "end", "start", "end"]
    assert kinds(Stage(rule(cooldown_frames=400)).play(once * 2)) == ["start", "end"]


def test_smoothing_is_a_mean_of_integers() -> None:
    stage = Stage(rule(smoothing_hops=3))
    assert kinds(stage.play([0, 0, 255, 194])) == []
    (start,) = stage.play([1])
    assert start.score == 150


def test_hysteresis_keeps_it_going() -> None:
    assert kinds(Stage().play([150] + [90] * 50)) == ["start"]


def test_updates_are_rare_and_only_upwards() -> None:
    stage = Stage(update_frames=100)
    events = stage.play([150, 160, 170, 180, 190, 190, 190, 190, 190, 190, 250, 250])
    assert [(event.type, event.score_max) for event in events] == [
        ("start", 150),
        ("update", 190),
        ("update", 250),
    ]


def test_classes_do_not_disturb_each_other() -> None:
    stage = Stage(rule(), rule(slug="rain", label="Rain", index=1))
    events = stage.play([(200, 0), (200, 200), (0, 200), (0, 200), (0, 200), (0, 200), (0, 200)])
    assert [(event.type, event.slug) for event in events] == [
        ("start", "dog"),
        ("start", "rain"),
        ("end", "dog"),
    ]
    assert stage.tracker.open == {"rain": events[1].track}


def test_finish_ends_what_is_open_with_its_reason() -> None:
    stage = Stage()
    (start,) = stage.play([200])
    (end,) = stage.tracker.finish("gap")
    assert (end.type, end.track, end.reason, end.score) == ("end", start.track, "gap", 200)
    assert stage.tracker.finish("gap") == []


def test_numbers_go_on_after_a_reset() -> None:
    stage = Stage()
    (first,) = stage.play([200])
    stage.tracker.finish("gap")
    stage.tracker.reset()
    stage.levels.reset()
    stage.first = 0
    (second,) = stage.play([200])
    assert second.track == first.track + 1


RULES = st.builds(
    rule,
    on_steps=st.integers(100, 255),
    off_steps=st.integers(1, 100),
    smoothing_hops=st.integers(1, 4),
    confirm_hops=st.integers(1, 4),
    min_duration_frames=st.integers(0, 100),
    cooldown_frames=st.integers(0, 300),
    end_after_frames=st.integers(0, 300),
)


@settings(deadline=None)
@given(made=RULES, scores=st.lists(st.integers(0, 255), min_size=1, max_size=60), seed=st.integers(0, 999))
def test_starts_and_ends_alternate_and_nothing_overlaps(
    made: ClassRule, scores: list[int], seed: int
) -> None:
    levels = np.random.default_rng(seed).integers(-9_000, -1_000, len(scores) * HOP + PATCH).tolist()
    stage = Stage(made, update_frames=100)
    events = stage.play(scores, levels) + stage.tracker.finish("shutdown")
    edges = [event for event in events if event.type != "update"]
    assert kinds(edges) == ["start", "end"] * (len(edges) // 2)
    sounds = [event for event in edges if event.type == "end"]
    for sound in sounds:
        assert sound.end_frame is not None
        assert 0 <= sound.start_frame < sound.end_frame <= stage.levels.end
        assert sound.score_max is not None
        assert sound.score_max >= made.on_steps
    for earlier, later in pairwise(sounds):
        assert earlier.end_frame is not None
        assert earlier.end_frame <= later.start_frame
    by_track = {event.track: event for event in edges if event.type == "start"}
    assert all(by_track[end.track].start_frame == end.start_frame for end in sounds)


@pytest.mark.parametrize("smoothing", [1, 2, 3])
def test_the_score_of_a_start_reaches_its_threshold(smoothing: int) -> None:
    stage = Stage(rule(smoothing_hops=smoothing, on_steps=100))
    rng = np.random.default_rng(smoothing)
    for event in stage.play(rng.integers(0, 256, 300).tolist()):
        if event.type == "start":
            assert event.score is not None
            assert event.score >= 100


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in GOLDEN.glob("*/input.json")), ids=lambda p: p.name
)
def test_golden(folder: Path) -> None:
    """What firmware is held to as well: see tests/golden/tracker/make.py."""
    case = json.loads((folder / "input.json").read_text())
    assert play(case) == json.loads((folder / "events.json").read_text())


def test_another_hop_keeps_open_sounds_and_their_scores() -> None:
    stage = Stage(rule(smoothing_hops=2))
    (start,) = stage.play([200, 200])
    stage.tracker.retime([rule(smoothing_hops=1)])
    assert stage.tracker.open == {"dog": start.track}
    (end,) = stage.play([100, 100, 0, 0, 0, 0, 0, 0])
    assert (end.track, end.score_max) == (start.track, 200)
    assert end.score_mean == pytest.approx((200 + 200 + 100 + 100) / 9, abs=0.5)


@given(
    confirm_s=st.floats(0.1, 3.0),
    hops=st.lists(st.sampled_from([6, 12, 24, 48, 96]), min_size=2, max_size=2, unique=True),
    changed_at=st.integers(0, 12),
)
def test_another_hop_never_confirms_too_early(confirm_s: float, hops: list[int], changed_at: int) -> None:
    def confirm_hops(hop: int) -> int:
        return ceil(round(confirm_s * 100 / hop, 6)) + 1

    before, after = hops
    levels = LevelHistory(288)
    tracker = Tracker([rule(confirm_hops=confirm_hops(before))], levels, -128, 500)
    first, hop, heard = 0, before, np.array([72], np.int8)
    for turn in range(1_000):
        levels.push(frames([QUIET] * (first + PATCH - levels.end)))
        if tracker.push(Hop(first, first + PATCH, heard)):
            break
        if turn == changed_at:
            hop = after
            tracker.retime([rule(confirm_hops=confirm_hops(after))])
        first += hop
    assert first >= round(confirm_s * 100, 6), "it was heard that long"
    assert first <= confirm_s * 100 + 2 * max(hops) + before, "and not much longer"


def test_other_thresholds_go_on_with_what_was_heard() -> None:
    stage = Stage(rule(end_after_frames=48))
    (start,) = stage.play([150])
    stage.tracker.retune([rule(end_after_frames=48, on_steps=200, off_steps=160)])
    assert kinds(stage.play([159])) == []
    (end,) = stage.play([159, 159])
    assert (end.type, end.track, end.start_frame) == ("end", start.track, start.start_frame)
    assert kinds(stage.play([199, 199])) == []
    assert kinds(stage.play([200])) == ["start"]


def test_other_thresholds_while_decisions_are_fewer() -> None:
    stage = Stage(rule(smoothing_hops=2))
    stage.tracker.retime([rule(smoothing_hops=1)])
    stage.tracker.retune([rule(smoothing_hops=2, on_steps=200, off_steps=160)])
    assert kinds(stage.play([199])) == []
    assert kinds(stage.play([200])) == ["start"], "not averaged with the hop before"


def test_retuning_is_for_thresholds_alone() -> None:
    stage = Stage(rule())
    for other in ([rule(end_after_frames=12)], [rule(slug="rain")], [rule(), rule()], []):
        with pytest.raises(ValueError, match="only thresholds"):
            stage.tracker.retune(other)
