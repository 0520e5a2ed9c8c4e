from __future__ import annotations

from dataclasses import replace
from itertools import count, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.loud import LoudTracker
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import LoudRule
from tests.rules import frames

RULE = LoudRule(
    snr_cdb=2_000, hysteresis_cdb=600, min_level_cdb=-5_000, min_duration_frames=5, end_after_frames=50,
    cooldown_frames=0,
)  # fmt: skip
QUIET = -6_000


def tracker(rule: LoudRule | None = RULE) -> LoudTracker:
    return LoudTracker(rule, LevelHistory(288), count())


def test_it_starts_over_the_floor_and_ends_when_it_is_quiet_again() -> None:
    loud = tracker()
    start, end = loud.push(frames([QUIET] * 200 + [-3_000] * 30 + [QUIET] * 50))
    assert (start.type, start.slug, start.start_frame, start.score) == ("start", "loud_sound", 200, None)
    assert (end.type, end.start_frame, end.end_frame, end.track) == ("end", 200, 230, start.track)
    assert end.sound.rms_cdb == -3_000
    assert end.sound.floor_cdb == QUIET


def test_a_click_is_too_short() -> None:
    assert tracker().push(frames([QUIET] * 200 + [-3_000] * 4 + [QUIET] * 100)) == []


def test_what_is_over_the_floor_but_soft_is_not_loud() -> None:
    assert tracker().push(frames([-9_000] * 200 + [-5_001] * 100)) == []


def test_hysteresis_bridges_its_fading() -> None:
    loud = tracker()
    (start,) = loud.push(frames([QUIET] * 200 + [-3_000] * 10 + [-4_600] * 200))
    assert loud.open_track == start.track
    (end,) = loud.push(frames([-4_601] * 50))
    assert end.end_frame == 410


def test_nothing_is_loud_before_the_floor_is_known() -> None:
    assert tracker().push(frames([-1_000] * 100)) == []


def test_noise_that_stays_becomes_the_floor() -> None:
    assert [event.type for event in tracker().push(frames([QUIET] * 300 + [-3_000] * 1_200))] == [
        "start",
        "end",
    ]


def test_cooldown() -> None:
    bang = [-2_000] * 10 + [QUIET] * 60
    levels = [QUIET] * 200 + bang * 2
    assert len(tracker().push(frames(levels))) == 4
    assert len(tracker(replace(RULE, cooldown_frames=100)).push(frames(levels))) == 2


def test_finish_ends_it() -> None:
    loud = tracker()
    loud.push(frames([QUIET] * 200 + [-2_000] * 10))
    (end,) = loud.finish("shutdown")
    assert (end.end_frame, end.reason) == (210, "shutdown")
    assert loud.finish("shutdown") == []


def test_it_can_be_off_and_still_keeps_the_history() -> None:
    levels = LevelHistory(288)
    assert LoudTracker(None, levels, count()).push(frames([QUIET] * 200 + [0] * 100)) == []
    assert levels.end == 300


@settings(deadline=None)
@given(levels=st.lists(st.integers(-12_000, 0), max_size=600), sizes=st.lists(st.integers(1, 97), min_size=1))
def test_pieces_make_no_difference_and_sounds_do_not_overlap(levels: list[int], sizes: list[int]) -> None:
    levels = [QUIET] * 110 + levels
    whole, parts, events, at = tracker(), tracker(), [], 0
    expected = whole.push(frames(levels)) + whole.finish("shutdown")
    while at < len(levels):
        for size in sizes:
            events += parts.push(frames(levels[at : at + size]))
            at += size
    events += parts.finish("shutdown")
    assert events == expected
    ends = [event for event in events if event.type == "end"]
    assert [event.type for event in events] == ["start", "end"] * len(ends)
    for earlier, later in pairwise(ends):
        assert earlier.end_frame is not None
        assert earlier.end_frame <= later.start_frame


def test_levels_are_those_of_the_sound() -> None:
    loud = tracker()
    levels = np.array([QUIET] * 200 + [-3_000] * 6 + [-1_000] * 3 + [QUIET] * 60)
    start, end = loud.push(frames(levels))
    assert start.sound.rms_cdb == -3_000
    assert end.sound.rms_cdb == -1_000
    assert end.sound.peak_cdb == 0
