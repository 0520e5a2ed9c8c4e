"""DiskOutbox on a disk that works: order, restarts, open sounds, holes, moves."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import REPLAYED_AFTER_S, Hole, Outbox
from tests.sinks.disks import Clocks, Disk, disk, limits, store
from tests.sinks.parts import draft
from tests.waiting import wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def numbers(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


def test_it_is_an_outbox(path: Path) -> None:
    with disk(path) as found:
        outbox: Outbox = found.outbox
        assert outbox.depth == 0
        assert outbox.state.kind == "disk"
        assert outbox.state.problem is None


def test_an_event_is_on_disk_before_anybody_hears_of_it(path: Path, tmp_path: Path) -> None:
    """Read from a copy made while the listener is being told, as a power cut then would leave it."""
    copies: list[tuple[Event, Path]] = []

    def listen(event: Event) -> None:
        folder = tmp_path / f"copy{len(copies)}"
        shutil.copytree(path.parent, folder)
        copies.append((event, folder / path.name))

    with disk(path) as found:
        found.outbox.listen(listen)
        found.append(3)
        found.append(2, type="end")
    for event, copy in copies:
        with store(copy) as there:
            assert event.seq in [row.seq for row in there.rows()]


def test_threads_get_each_number_once_and_all_is_heard_in_order(path: Path) -> None:
    with disk(path) as found:
        threads = [threading.Thread(target=lambda: found.append(200)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert numbers(found.heard) == list(range(800))
        assert numbers(found.deliver()) == list(range(800))


def test_what_waits_survives_a_restart_and_numbers_go_on(path: Path) -> None:
    with disk(path) as found:
        found.append(600, type="end")  # more than the shelf holds
        epoch = found.outbox.epoch
        first = found.outbox.pending(2)
        assert not first[0].event.replayed
        found.outbox.acknowledge(first[0].position)
        found.outbox.dead_letter(first[1].position, "Not authorized")
    with disk(path) as found:
        assert found.outbox.epoch == epoch
        assert found.outbox.dead_letters == 1
        found.append(1, type="end")
        events = found.deliver()
        assert numbers(events) == list(range(2, 601))
        assert {event.epoch for event in events} == {epoch}
        assert {event.replayed for event in events[:-1]} == {True}
        assert not events[-1].replayed
    with disk(path) as found:
        assert found.outbox.depth == 0


def test_late_events_are_flagged_and_old_ones_dropped(path: Path) -> None:
    clocks = Clocks()
    with disk(path, clocks.opener(), age_s=60.0, stall_s=1e9) as found:
        found.append(1)
        clocks.on(REPLAYED_AFTER_S)
        assert not found.outbox.pending(1)[0].event.replayed
        clocks.on(0.01)
        (entry,) = found.outbox.pending(1)
        assert entry.event.replayed
        assert entry.age_s == pytest.approx(5.01)
        assert found.outbox.state.oldest_s == pytest.approx(5.01)
        clocks.on(60.0)
        assert found.outbox.pending(1) == [], "not even before it is dropped"
        found.append(1)
        assert found.outbox.holes() == [Hole(found.outbox.epoch, 0, 0, "expired")]
        assert found.waiting() == [(found.outbox.epoch, 1)]


def test_what_is_dropped_is_a_hole_until_it_was_announced(path: Path) -> None:
    with disk(path, events=4) as found:
        epoch = found.outbox.epoch
        found.append(10, type="end")
        assert found.waiting() == [(epoch, seq) for seq in range(6, 10)]
    with disk(path, events=4) as found:
        (hole,) = found.outbox.holes()
        assert hole == Hole(epoch, 0, 5, "outbox_full")
        found.append(1, type="end")
        found.outbox.announced(hole)
        assert found.outbox.holes() == [Hole(epoch, 6, 6, "outbox_full")]
    with disk(path) as found:
        assert found.outbox.holes() == [Hole(epoch, 6, 6, "outbox_full")]


def test_what_was_going_on_when_the_process_was_cut_off_ends_as_interrupted(
    path: Path, tmp_path: Path
) -> None:
    dog, rain, over = draft(clip="porch/1.flac"), draft(class_="rain", source="hall"), draft()
    with disk(path) as found:
        for event in (dog, rain, over):
            found.outbox.append(event)
        found.outbox.append(
            rain.model_copy(update={"type": "update", "score_max": 0.99, "latency_ms": 6_500})
        )
        found.outbox.append(over.model_copy(update={"type": "end", "end": over.start, "duration_s": 0.1}))
        assert found.outbox.flush(20.0)
        shutil.copytree(path.parent, tmp_path / "cut off")  # as kill -9 leaves it
        epoch = found.outbox.epoch
    copy = tmp_path / "cut off" / path.name
    with disk(copy) as found:
        wait_for(lambda: found.outbox.depth == 7, "the ends")
        found.append(1)
        events = found.deliver()
        assert [(event.type, event.epoch, event.seq) for event in events[5:]] == [
            ("end", epoch, 5),
            ("end", epoch, 6),
            ("start", epoch, 7),
        ]
        assert numbers(found.heard) == [5, 6, 7], "sinks hear of the ends first"
        of_dog, of_rain = events[5:7]
        assert (of_dog.id, of_dog.reason, of_dog.duration_s) == (dog.id, "interrupted", 0.83)
        assert of_dog.end == dog.published
        assert of_dog.clip is None, "it was lost with the process"
        assert of_dog.end_sample == dog.start_sample + round(0.83 * 16_000)
        assert (of_rain.id, of_rain.source, of_rain.duration_s) == (rain.id, "hall", 6.5)
        assert of_rain.score_max == 0.99
        assert of_rain.published >= str(of_rain.end)
    with disk(copy) as found:
        assert [event.id for event in found.heard] == [events[7].id], "only what is new since"


def test_more_than_one_file_s_worth_is_read_as_it_is_delivered(path: Path) -> None:
    woken = threading.Event()
    with disk(path) as found:
        found.outbox.wake_on_more(woken.set)
        found.append(1_000)
        held = found.outbox.pending(10_000)
        assert len(held) < 1_000, "the rest is on disk alone"
        woken.clear()
        for entry in held:
            found.outbox.acknowledge(entry.position)
        assert woken.wait(10.0)
        assert numbers(found.deliver()) == list(range(len(held), 1_000))


def test_acknowledgements_are_saved_within_seconds(path: Path, tmp_path: Path) -> None:
    with disk(path) as found:
        found.append(3)
        for entry in found.outbox.pending(2):
            found.outbox.acknowledge(entry.position)

        def left() -> list[int]:
            shutil.copytree(path.parent, tmp_path / "copy", dirs_exist_ok=True)
            with store(tmp_path / "copy" / path.name) as copy:
                return [row.seq for row in copy.rows()]

        wait_for(lambda: left() == [2], "saved")


def test_another_path_takes_over_what_waits(path: Path, tmp_path: Path) -> None:
    new = tmp_path / "elsewhere" / "outbox.db"
    with disk(new) as found:  # something is there already
        found.append(1, type="end")
        there = found.outbox.epoch
    with disk(path, events=300) as found:
        first = found.outbox.epoch
        found.append(301, type="end")
        sound = draft()
        found.outbox.append(sound)
        assert found.outbox.flush(20.0)
        under_way = found.outbox.pending(1)[0]
        found.outbox.relocate(new, limits())
        wait_for(lambda: found.outbox.epoch != first, "the other file")
        found.outbox.acknowledge(under_way.position)
        found.append(1, type="end", id=sound.id)
        assert not list(path.parent.iterdir())
        assert found.outbox.holes() == [Hole(first, 0, 1, "outbox_full")]
        events = [(event.epoch, event.seq) for event in found.deliver()]
        expected = [(there, 0), *((first, seq) for seq in range(3, 302)), (found.outbox.epoch, 0)]
        assert events == expected
        assert found.outbox.state.kind == "disk"
    with disk(new) as found:
        assert found.outbox.depth == 0
        assert found.heard == []


def test_a_path_that_cannot_be_is_not_moved_to(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with disk(path) as found:
        found.append(1)
        epoch = found.outbox.epoch
        found.outbox.relocate(tmp_path / "file" / "outbox.db", limits())
        wait_for(lambda: found.outbox.path == path, "it stays")
        found.append(1)
        assert found.waiting() == [(epoch, 0), (epoch, 1)]


def test_lower_limits_are_kept_to_from_then_on(path: Path) -> None:
    with disk(path) as found:
        found.append(10)
        found.outbox.relocate(path, limits(events=3))
        found.append(1)
        assert [seq for _, seq in found.waiting()] == [8, 9, 10]


@settings(max_examples=25, deadline=None)
@given(
    capacity=st.integers(1, 6),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 4)),
            st.tuples(st.sampled_from(["acknowledge", "dead_letter"]), st.integers(0, 5)),
            st.just(("announce", 0)),
            st.just(("restart", 0)),
        ),
        max_size=30,
    ),
)
def test_every_number_is_in_exactly_one_place(capacity: int, steps: list[tuple[str, int]]) -> None:
    appended, settled, announced = 0, set(), set()
    with TemporaryDirectory() as folder:
        found = Disk(Path(folder) / "outbox.db", events=capacity)
        for what, number in steps:
            outbox = found.outbox
            if what == "append":
                found.append(number, type="end")
                appended += number
            elif what == "announce":
                for hole in outbox.holes()[:1]:
                    announced |= set(range(hole.first_seq, hole.last_seq + 1))
                    outbox.announced(hole)
            elif what == "restart":
                outbox.close(10.0)
                found = Disk(Path(folder) / "outbox.db", events=capacity)
            else:
                for entry in outbox.pending(10)[number : number + 1]:
                    settled.add(entry.event.seq)
                    if what == "acknowledge":
                        outbox.acknowledge(entry.position)
                    else:
                        outbox.dead_letter(entry.position, "refused")
        found.append(1, type="end")
        left = [seq for _, seq in found.waiting()]
        holes = found.outbox.holes()
        found.outbox.close(10.0)
    missing = {seq for hole in holes for seq in range(hole.first_seq, hole.last_seq + 1)}
    assert left == sorted(left)
    assert len(left) <= capacity
    assert sorted([*left, *settled, *missing, *announced]) == list(range(appended + 1))
