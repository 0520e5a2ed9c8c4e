"""Tape and Cutter: every clip has exactly the samples that it says, whatever comes in whatever pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.clips.cutter import Cutter
from aed_daemon.clips.take import Take
from aed_daemon.clips.tape import Block, Tape, joined, to_pcm

PRE, POST, MOST, REACH = 50, 30, 400, 100


def value(index: int) -> int:
    """Return the sample that lies at an index, another one than at any index near it."""
    return (index * 7_919) % 65_521 - 32_760


VALUES = np.array([value(index) for index in range(5_000)], np.int16)


def block(first: int, length: int) -> Block:
    return Block(first, VALUES[first : first + length])


def take(identity: str, start_sample: int) -> Take:
    return Take(identity, "node", "porch", "dog", "Dog", identity, 0.0, start_sample, 0, 0)


@dataclass
class Room:
    """A cutter, and the clips that it has handed out."""

    settle: int = 0
    done: dict[str, Take] = field(default_factory=dict)
    now: int = 0

    def __post_init__(self) -> None:
        self.cutter = Cutter(
            pre_samples=PRE, post_samples=POST, max_samples=MOST, reach_samples=REACH,
            settle_samples=self.settle, done=lambda one: self.done.update({one.id: one}),
        )  # fmt: skip

    def hear(self, samples: int, piece: int = 40) -> None:
        end = self.now + samples
        while self.now < end:
            length = min(piece, end - self.now)
            self.cutter.push(block(self.now, length))
            self.now += length

    def skip(self, samples: int) -> None:
        self.cutter.cut("gap")
        self.now += samples

    def span(self, identity: str) -> tuple[int, int]:
        """Return where a clip begins and ends; its samples are those of these indices."""
        found = self.done[identity]
        pcm = found.pcm()
        assert np.array_equal(pcm, VALUES[found.first_sample : found.first_sample + len(pcm)])
        return found.first_sample, found.first_sample + len(pcm)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30), capacity=st.integers(1, 200))
def test_the_tape_holds_what_it_is_to_hold_and_no_more_than_a_block_on_top(
    lengths: list[int], capacity: int
) -> None:
    tape, end = Tape(capacity), 0
    for length in lengths:
        tape.push(block(end, length))
        end += length
        oldest = end - tape.held
        assert min(capacity, end) <= tape.held < capacity + max(lengths)
        for first in (0, oldest, end - capacity // 2, end - 1, end):
            blocks = tape.since(max(0, first))
            begin = max(first, oldest, 0)
            assert np.array_equal(joined(blocks), VALUES[begin:end])
            assert not blocks or blocks[0].first_sample == begin


def test_a_tape_takes_only_what_joins_on_and_forgets_what_it_is_told() -> None:
    tape = Tape(1_000)
    tape.push(block(10, 10))
    with pytest.raises(ValueError, match="does not join on"):
        tape.push(block(21, 10))
    tape.forget(15)
    assert joined(tape.since(0)).tolist() == [value(index) for index in range(15, 20)]
    tape.cut()
    tape.push(block(0, 4))
    assert len(joined(tape.since(0))) == 4, "a source that is opened anew counts from 0"


@settings(deadline=None)
@given(st.lists(st.integers(-32_768, 32_767), max_size=50))
def test_sixteen_bits_come_out_as_they_went_in(values: list[int]) -> None:
    samples = np.array(values, np.float32) / 32_768
    assert to_pcm(samples).tolist() == values


def test_what_is_over_full_scale_is_clipped_not_wrapped() -> None:
    assert to_pcm(np.array([1.0, 7.5, -1.0, -7.5], np.float32)).tolist() == [32_767, 32_767, -32_768, -32_768]


@settings(deadline=None, max_examples=100)
@given(
    sounds=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 600)), min_size=1, max_size=6),
    piece=st.integers(1, 97),
    delay=st.integers(0, REACH - 1),
)
def test_each_clip_has_its_sound_with_what_is_before_and_after(
    sounds: Sequence[tuple[int, int]], piece: int, delay: int
) -> None:
    """Whatever overlaps: the clip is [onset - pre, offset + post), bounded by the longest clip."""
    room = Room()
    steps = []
    for number, (start, length) in enumerate(sounds):
        steps += [(start + delay, 0, number), (start + length + delay, 1, number)]
    for at, kind, number in sorted(steps):
        room.hear(at - room.now, piece)
        start, length = sounds[number]
        if kind:
            room.cutter.end(str(number), start + length)
        elif room.now:
            assert room.cutter.begin(take(str(number), start))
    room.hear(POST + MOST + 200, piece)
    for number, (start, length) in enumerate(sounds):
        if start + delay == 0:
            continue  # it started before anything was heard
        first = max(0, start - PRE)
        limit = first + MOST
        too_long = start + length + POST > limit or start + length + delay >= limit  # or known too late
        assert room.span(str(number)) == (first, limit if too_long else start + length + POST)
        cut_short = "max_s" if too_long else None
        assert room.done[str(number)].cut_short == cut_short
    assert room.cutter.under_way == 0


@settings(deadline=None)
@given(
    before=st.integers(1, 200), after=st.integers(1, 200), lost=st.integers(0, 500), piece=st.integers(1, 97)
)
def test_no_clip_reaches_over_a_gap(before: int, after: int, lost: int, piece: int) -> None:
    room = Room()
    room.hear(before, piece)
    room.cutter.begin(take("open", before - 1))
    room.skip(lost)
    begins = room.now
    assert room.span("open") == (max(0, before - 1 - PRE), before)
    assert room.done["open"].cut_short == "gap"
    room.hear(after, piece)
    room.cutter.begin(take("next", room.now - 1))
    room.cutter.end("next", room.now)
    room.hear(POST, piece)
    assert room.span("next") == (max(begins, begins + after - 1 - PRE), begins + after + POST)


def test_samples_that_do_not_join_on_are_a_gap_even_if_nobody_said_so() -> None:
    room = Room()
    room.hear(100)
    room.cutter.begin(take("a", 90))
    room.now = 500
    room.hear(100)
    assert room.span("a") == (40, 100)


def test_a_sound_without_end_is_cut_at_the_longest_and_its_end_changes_nothing() -> None:
    room = Room()
    room.hear(100)
    room.cutter.begin(take("rain", 90))
    room.hear(2_000)
    assert room.span("rain") == (40, 40 + MOST)
    assert room.done["rain"].cut_short == "max_s"
    room.cutter.end("rain", 1_900)
    assert room.span("rain") == (40, 40 + MOST)


def test_a_sound_noticed_later_than_the_tape_reaches_begins_late_and_says_where() -> None:
    room = Room()
    room.hear(1_000, piece=1)
    assert room.cutter.begin(take("slow", 10))
    room.cutter.end("slow", 990)
    room.hear(MOST)
    assert room.span("slow")[0] == 1_000 - PRE - REACH


def test_nothing_begins_where_nothing_is_heard() -> None:
    assert not Room().cutter.begin(take("a", 0))


def test_where_a_vetoed_sound_is_heard_nothing_is_kept() -> None:
    room = Room(settle=REACH)
    room.hear(210)
    room.cutter.begin(take("before", 120))
    room.cutter.end("before", 200)
    room.hear(60)
    room.cutter.begin(take("through", 180))
    room.cutter.veto("baby", 220)  # it began 50 samples ago
    assert room.done["through"].failed
    assert room.done["through"].pcm().size == 0
    assert not room.cutter.begin(take("during", 265))
    room.hear(100)
    room.cutter.lift("baby", 350)
    assert room.cutter.begin(take("after", 360))
    room.cutter.end("after", 365)
    room.hear(500)
    assert room.span("before") == (70, 220)
    assert room.done["before"].cut_short == "class_veto"
    assert room.span("after") == (350, 395), "what is before begins where the vetoed sound ended"


@settings(deadline=None, max_examples=50)
@given(
    onset=st.integers(0, 500),
    delay=st.integers(0, REACH),
    length=st.integers(1, 300),
    piece=st.integers(5, 97),
)
def test_no_clip_has_a_sample_of_a_vetoed_sound(onset: int, delay: int, length: int, piece: int) -> None:
    """Sounds come all the time; the vetoed one is known `delay` after its onset, as late as may be."""
    room = Room(settle=REACH)
    known, over = onset + delay, onset + delay + length
    for at in range(piece, 1_200, piece):
        if room.now <= known < at:
            room.hear(known - room.now, piece)
            room.cutter.veto("baby", onset)
        if room.now <= over < at:
            room.hear(over - room.now, piece)
            room.cutter.lift("baby", onset + length)
        room.hear(at - room.now, piece)
        room.cutter.begin(take(f"{at}", at - 1))
        room.cutter.end(f"{at}", at)
    room.hear(MOST + REACH)
    kept = [identity for identity, one in room.done.items() if not one.failed]
    assert kept
    for identity in kept:
        first, end = room.span(identity)
        assert end <= onset or first >= onset + length
