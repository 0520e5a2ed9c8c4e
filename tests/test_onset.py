from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.onset import UNSETTLED, LevelHistory
from tests.rules import frames

QUIET, LOUD = -6_000, -2_000


def history(levels: list[int]) -> LevelHistory:
    made = LevelHistory(288)
    made.push(frames(levels))
    return made


def test_the_onset_is_the_first_audible_frame() -> None:
    levels = history([QUIET] * 240 + [LOUD] * 20)
    assert levels.onset(163, 260, 0) == 240


def test_a_soft_start_within_20_db_counts() -> None:
    levels = history([QUIET] * 240 + [LOUD - 2_001] * 3 + [LOUD - 2_000] * 3 + [LOUD] * 20)
    assert levels.onset(169, 266, 0) == 243


def test_what_lies_less_than_6_db_over_the_floor_does_not_count() -> None:
    levels = history([QUIET] * 240 + [QUIET + 599] * 10 + [QUIET + 600] * 5 + [QUIET + 1_000] * 10)
    assert levels.onset(168, 265, 0) == 250


def test_the_onset_reaches_back_beyond_the_window_over_short_pauses() -> None:
    levels = history([QUIET] * 130 + [LOUD] * 20 + [QUIET] * 10 + [LOUD] * 100)
    assert levels.onset(163, 260, 0) == 130
    assert levels.onset(163, 260, 140) == 140


def test_a_long_pause_parts_sounds() -> None:
    levels = history([QUIET] * 130 + [LOUD] * 20 + [QUIET] * 11 + [LOUD] * 99)
    assert levels.onset(163, 260, 0) == 161


def test_a_sound_that_does_not_stand_out_begins_with_the_window() -> None:
    levels = history([QUIET] * 260)
    assert levels.onset(163, 260, 0) == 163
    assert levels.onset(163, 260, 200) == 200


def test_music_under_a_sound_is_not_where_it_begins() -> None:
    music = [-3_400, -3_000, -2_800, -3_600] * 60
    levels = history([*music, *[LOUD] * 20])
    assert levels.onset(163, 260, 0) == 240


def test_a_swell_of_the_music_is_not_the_sound_unless_it_reaches_it() -> None:
    levels = history([-3_000] * 200 + [-2_401] * 40 + [LOUD] * 20)
    assert levels.onset(163, 260, 0) == 240
    levels = history([-3_000] * 200 + [-2_400] * 40 + [LOUD] * 20)
    assert levels.onset(163, 260, 0) == 200


def test_a_sound_as_loud_as_what_came_before_begins_as_if_that_were_silent() -> None:
    levels = history([-9_000] * 400 + [LOUD - 500] * 150 + [LOUD] * 50)
    assert levels.onset(503, 600, 312) == 400


def test_before_the_floor_is_known_the_level_alone_decides() -> None:
    levels = history([QUIET] * 40 + [LOUD] * 57)
    assert levels.onset(0, 97, 0) == 40


def test_the_offset_follows_the_last_audible_frame() -> None:
    levels = history([QUIET] * 200 + [LOUD] * 20 + [QUIET] * 40)
    assert levels.offset(163, 260) == 220


def test_the_floor_before_each_frame_is_returned() -> None:
    levels = LevelHistory(288)
    floors = levels.push(frames([QUIET] * 101))
    assert floors.tolist() == [UNSETTLED] * 100 + [QUIET]


@given(levels=st.lists(st.integers(-12_000, 0), min_size=97, max_size=400), earliest=st.integers(0, 400))
def test_onset_and_offset_lie_where_they_may(levels: list[int], earliest: int) -> None:
    made, last = history(levels), len(levels)
    earliest = min(earliest, last - 1)
    onset = made.onset(last - 97, last, earliest)
    assert earliest <= onset < last
    assert last - 97 < made.offset(last - 97, last) <= last


@pytest.mark.parametrize("piece", [1, 7, 97])
def test_the_division_into_pieces_makes_no_difference(piece: int) -> None:
    levels = np.random.default_rng(0).integers(-9_000, 0, 500)
    whole, parts = LevelHistory(288), LevelHistory(288)
    floors = whole.push(frames(levels))
    pieces = [parts.push(frames(levels[at : at + piece])) for at in range(0, 500, piece)]
    assert np.array_equal(np.concatenate(pieces), floors)
    assert np.array_equal(parts.between(300, 450).rms_cdb, whole.between(300, 450).rms_cdb)
    assert parts.floor.cdb == whole.floor.cdb
