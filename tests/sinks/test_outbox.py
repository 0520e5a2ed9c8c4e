"""MemoryOutbox: numbers, order, bounds, holes."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.sinks.outbox import REPLAYED_AFTER_S, Hole, MemoryOutbox, Outbox
from tests.sinks.parts import draft

DRAFT = draft()


def filled(capacity: int, count: int) -> MemoryOutbox:
    outbox = MemoryOutbox(capacity)
    for _ in range(count):
        outbox.append(DRAFT)
    return outbox


def waiting(outbox: MemoryOutbox) -> list[int]:
    return [entry.event.seq for entry in outbox.pending(1_000_000)]


def test_it_is_an_outbox() -> None:
    outbox: Outbox = MemoryOutbox(1)
    assert outbox.depth == 0


def test_numbers_begin_at_zero_and_have_no_holes() -> None:
    outbox = MemoryOutbox(10)
    events = [outbox.append(DRAFT) for _ in range(5)]
    assert [event.seq for event in events] == [0, 1, 2, 3, 4]
    assert {event.epoch for event in events} == {outbox.epoch}
    assert len(outbox.epoch) == 8
    assert int(outbox.epoch, 16) >= 0


def test_every_outbox_has_its_own_epoch() -> None:
    assert len({MemoryOutbox(1).epoch for _ in range(50)}) == 50


def test_an_entry_is_the_event_that_was_appended() -> None:
    outbox = MemoryOutbox(10)
    event = outbox.append(draft(score=0.123456789, top=[("dog", 0.1), ("rain", 1e-9)]))
    assert outbox.pending(1)[0].event == event


def test_pending_leaves_out_what_is_under_way_and_keeps_to_the_limit() -> None:
    outbox = filled(100, 10)
    first = outbox.pending(3)
    assert [entry.event.seq for entry in first] == [0, 1, 2]
    under_way = {entry.position for entry in first}
    assert [entry.event.seq for entry in outbox.pending(2, under_way)] == [3, 4]
    assert outbox.pending(5, range(10)) == []


def test_what_is_acknowledged_is_gone_in_any_order() -> None:
    outbox = filled(100, 5)
    for position in (3, 0, 3, 77):
        outbox.acknowledge(position)
    assert waiting(outbox) == [1, 2, 4]
    assert outbox.depth == 3
    assert outbox.holes() == []


def test_a_dead_letter_is_counted_and_kept_aside() -> None:
    outbox = filled(100, 3)
    outbox.dead_letter(1, "Not authorized")
    outbox.dead_letter(1, "Not authorized")
    assert waiting(outbox) == [0, 2]
    assert outbox.dead_letters == 1
    assert [(letter.event.seq, letter.reason) for letter in outbox.refused()] == [(1, "Not authorized")]


def test_an_event_that_nobody_could_read_is_a_dead_letter_at_once() -> None:
    outbox = MemoryOutbox(10)
    bad = DRAFT.level.model_copy(update={"snr_db": float("nan")})
    assert outbox.append(draft(level=bad)).seq == 0
    assert outbox.append(DRAFT).seq == 1
    assert waiting(outbox) == [1]
    assert outbox.dead_letters == 1


def test_the_oldest_is_dropped_and_the_hole_remembered_until_announced() -> None:
    outbox = filled(4, 10)
    assert waiting(outbox) == [6, 7, 8, 9]
    assert outbox.dropped == 6
    hole = Hole(outbox.epoch, 0, 5, "outbox_full")
    assert outbox.holes() == [hole]
    outbox.append(DRAFT)  # it grows while the announcement is under way
    outbox.announced(hole)
    assert outbox.holes() == [Hole(outbox.epoch, 6, 6, "outbox_full")]
    outbox.announced(Hole("ffffffff", 0, 99, "outbox_full"))  # of another epoch
    outbox.announced(outbox.holes()[0])
    assert outbox.holes() == []


def test_what_has_waited_too_long_is_a_hole() -> None:
    now = [100.0]
    outbox = MemoryOutbox(10, clock=lambda: now[0], max_age_s=60.0)
    for _ in range(3):
        outbox.append(DRAFT)
        now[0] += 30.0
    assert outbox.state.oldest_s == 90.0
    assert waiting(outbox) == [1, 2]
    assert outbox.holes() == [Hole(outbox.epoch, 0, 0, "expired")]


def test_late_events_are_flagged_from_just_after_five_seconds() -> None:
    now = [100.0]
    outbox = MemoryOutbox(10, clock=lambda: now[0])
    outbox.append(DRAFT)
    now[0] += REPLAYED_AFTER_S
    assert not outbox.pending(1)[0].event.replayed
    now[0] += 0.001
    assert outbox.pending(1)[0].event.replayed


def test_capacity_zero_numbers_and_keeps_nothing() -> None:
    outbox = filled(0, 5)
    assert outbox.append(DRAFT).seq == 5
    assert outbox.depth == 0
    assert outbox.holes() == []


def test_a_negative_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        MemoryOutbox(-1)


def test_whoever_listens_gets_every_event_in_order() -> None:
    outbox = MemoryOutbox(0)
    heard: list[int] = []
    outbox.listen(lambda event: heard.append(event.seq))
    threads = [threading.Thread(target=lambda: [outbox.append(DRAFT) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == list(range(800))


def test_threads_get_each_number_once() -> None:
    outbox = MemoryOutbox(10_000)
    got: list[int] = []

    def append() -> None:
        got.extend([outbox.append(DRAFT).seq for _ in range(300)])

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1_200))
    assert waiting(outbox) == list(range(1_200))


@given(
    capacity=st.integers(1, 6),
    steps=st.lists(
        st.one_of(
            st.just(("append", 0)),
            st.tuples(st.sampled_from(["acknowledge", "dead_letter"]), st.integers(0, 30)),
            st.just(("announce", 0)),
        ),
        max_size=60,
    ),
)
def test_every_number_is_in_exactly_one_place(capacity: int, steps: list[tuple[str, int]]) -> None:
    outbox = MemoryOutbox(capacity)
    appended, settled, announced = 0, set(), set()
    for what, position in steps:
        if what == "append":
            outbox.append(DRAFT)
            appended += 1
        elif what == "announce":
            for hole in outbox.holes()[:1]:
                announced |= set(range(hole.first_seq, hole.last_seq + 1))
                outbox.announced(hole)
        else:
            if position in waiting(outbox):
                settled.add(position)
            if what == "acknowledge":
                outbox.acknowledge(position)
            else:
                outbox.dead_letter(position, "refused")
    left = waiting(outbox)
    missing = {seq for hole in outbox.holes() for seq in range(hole.first_seq, hole.last_seq + 1)}
    assert left == sorted(left)
    assert len(left) == outbox.depth <= capacity
    # a hole merges across nothing but neighbours, so what it names was really dropped
    assert sorted([*left, *settled, *missing, *announced]) == list(range(appended))
