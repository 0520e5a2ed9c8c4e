"""DiskOutbox on disks that are full, read-only, taken, damaged or hang: detection goes on."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aed_daemon.sinks.disk_outbox import OPEN_WAIT_S
from aed_daemon.sinks.outbox import Hole
from tests.sinks.disks import Disk, block_disk, disk, frozen, small_disk, store
from tests.sinks.parts import draft
from tests.sinks.test_store_file import PAGE, filled, owner
from tests.waiting import wait_for

pytestmark = pytest.mark.system


def fill_up(place: Path) -> Path:
    """Leave no room on a disk."""
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * PAGE)
    return ballast


def in_memory(found: Disk, problem: str) -> str:
    """Check that events go on in memory, and why; return the epoch."""
    wait_for(lambda: found.outbox.state.kind == "memory", "memory")
    assert found.outbox.state.problem == problem
    return found.outbox.epoch


def on_disk(found: Disk) -> str:
    """Wait until events go on on disk; return the epoch."""
    wait_for(lambda: found.outbox.state.kind == "disk", "disk")
    assert found.outbox.state.problem is None
    return found.outbox.epoch


def test_a_full_disk_is_left_for_memory_and_taken_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as place, capture_logs() as logs:
        with disk(place / "outbox.db", retry_s=0.05) as found:
            found.append(200, type="end")
            first = found.outbox.epoch
            sound = draft()
            found.append(1, id=sound.id)
            ballast = fill_up(place)
            found.append(100, type="end")
            second = in_memory(found, "the disk is full")
            on_first = [event.seq for event in found.heard if event.epoch == first]
            on_second = [event.seq for event in found.heard if event.epoch == second]
            assert on_first == list(range(len(on_first)))
            assert on_second == list(range(301 - len(on_first)))
            assert second != first
            for entry in found.outbox.pending(16):  # what is on the disk can still be read
                assert entry.event.epoch == first
                found.outbox.acknowledge(entry.position)
            held = found.outbox.pending(64)
            ballast.unlink()
            third = on_disk(found)
            assert len({first, second, third}) == 3
            for entry in held:  # under way when the disk came back
                found.outbox.acknowledge(entry.position)
            found.append(1, type="end", id=sound.id)
            expected = (
                [(first, seq) for seq in on_first] + [(second, seq) for seq in on_second] + [(third, 0)]
            )
            assert [(event.epoch, event.seq) for event in found.deliver()] == expected[80:]
        with disk(place / "outbox.db") as found:
            assert (found.outbox.epoch, found.outbox.depth) == (third, 0)
            assert found.heard == [], "what ended in memory was not open any more"
    told = [log["event"] for log in logs]
    assert told.count("outbox_in_memory") == 1, "not once for every attempt"
    assert told.count("outbox_on_disk_again") == 1


def test_what_is_in_memory_moves_to_the_disk_with_its_holes_and_dead_letters(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as place:
        with disk(place / "outbox.db", events=50, retry_s=0.05) as found:
            found.append(1, type="end")
            ballast = fill_up(place)
            found.append(100, type="end")
            second = in_memory(found, "the disk is full")
            wait_for(lambda: found.outbox.holes(), "a hole")
            refused = found.outbox.pending(50)[-1]
            found.outbox.dead_letter(refused.position, "Not authorized")
            holes, dead = found.outbox.holes(), found.outbox.dead_letters
            ballast.unlink()
            on_disk(found)
            assert {hole.epoch for hole in holes} >= {second}
            assert found.outbox.dead_letters == dead == 1
            covered = [(hole.epoch, seq) for hole in found.outbox.holes() for seq in numbers(hole)]
            left = [(entry.event.epoch, entry.event.seq) for entry in found.outbox.pending(60)]
            refused_one = [(refused.event.epoch, refused.event.seq)]
            heard = [(event.epoch, event.seq) for event in found.heard]
            assert sorted(covered + left + refused_one) == sorted(heard)
        with store(place / "outbox.db", events=50) as there:
            assert [refusal.reason for refusal in there.refusals()] == ["Not authorized"]
            assert there.holes() != []


def numbers(hole: Hole) -> range:
    return range(hole.first_seq, hole.last_seq + 1)


def test_sounds_that_start_in_memory_are_open_on_the_disk_later(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as place:
        with disk(place / "outbox.db", retry_s=0.05) as found:
            found.append(1, type="end")
            ballast = fill_up(place)
            found.append(20, type="end", label="x" * 5_000)
            in_memory(found, "the disk is full")
            sound = draft()
            found.append(1, id=sound.id)
            ballast.unlink()
            on_disk(found)
            shutil.copytree(place, tmp_path / "cut off")
        with disk(tmp_path / "cut off" / "outbox.db") as found:
            assert [(event.id, event.reason) for event in found.heard] == [(sound.id, "interrupted")]


def test_a_read_only_disk_is_read_and_detection_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as place:
        path = place / "outbox.db"
        with disk(path) as found:
            found.append(300, type="end")
            first = found.outbox.epoch
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with disk(path, retry_s=0.05) as found:
            second = in_memory(found, "read-only")
            found.append(2, type="end")
            wait_for(lambda: found.outbox.pending(1), "something of what is there was read")
            held = found.outbox.pending(3)
            assert [entry.event.replayed for entry in held] == [True] * 3
            for entry in held:
                found.outbox.acknowledge(entry.position)
            subprocess.run(["mount", "-o", "remount,rw", place], check=True)
            third = on_disk(found)
            found.append(1, type="end")
            events = [(event.epoch, event.seq) for event in found.deliver()]
            assert events == [*((first, seq) for seq in range(3, 300)), (second, 0), (second, 1), (third, 0)]


def test_a_disk_that_turns_read_only_meanwhile_is_left(tmp_path: Path) -> None:
    with block_disk(tmp_path / "disk") as place, disk(place / "outbox.db", retry_s=0.05) as found:
        found.append(10, type="end")
        first = found.outbox.epoch
        # What ext4 does itself where it meets an error.
        subprocess.run(["mount", "-o", "remount,abort", place], check=True, capture_output=True)
        found.append(10, type="end")
        wait_for(lambda: found.outbox.state.kind == "memory", "memory")
        second = found.outbox.epoch
        events = [(event.epoch, event.seq) for event in found.deliver()]
        assert events == [*((first, seq) for seq in range(10)), *((second, seq) for seq in range(10))]


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    with (
        block_disk(tmp_path / "disk") as place,
        disk(place / "outbox.db", stall_s=0.3, retry_s=0.05) as found,
    ):
        found.append(5, type="end")
        first = found.outbox.epoch

        def use() -> None:
            until_s = time.monotonic() + 1.0
            while time.monotonic() < until_s or found.outbox.state.kind == "disk":
                found.outbox.append(draft(type="end"))
                found.outbox.pending(16)
                found.outbox.acknowledge(-1)

        user = threading.Thread(target=use)
        with frozen(place):  # until the user is done: one who waits for the disk never is
            user.start()
            wait_for(lambda: not user.is_alive(), "the user is done: nothing waits for the disk")
            second = in_memory(found, "it does not answer")
            assert [e.seq for e in found.heard if e.epoch == second] == list(range(len(found.heard) - 5))
        third = on_disk(found)
        found.append(1, type="end")
        events = [(event.epoch, event.seq) for event in found.deliver()]
        assert events[:5] == [(first, seq) for seq in range(5)]
        assert events[5:-1] == [(second, seq) for seq in range(len(events) - 6)]
        assert events[-1] == (third, 0)
        assert len({first, second, third}) == 3


def test_a_disk_that_hangs_at_the_start_is_not_waited_for(tmp_path: Path) -> None:
    with block_disk(tmp_path / "disk") as place:
        path = place / "outbox.db"
        with disk(path) as found:
            found.append(3)
            first, ids = found.outbox.epoch, [event.id for event in found.heard]
        with frozen(place):
            begun_s = time.monotonic()
            late = Disk(path, retry_s=0.05)
            assert time.monotonic() - begun_s < OPEN_WAIT_S + 2.0
            in_memory(late, "it does not answer")
            late.append(1, type="end")
        on_disk(late)
        events = late.deliver()
        late.outbox.close(10.0)
        assert [(event.epoch, event.seq) for event in events[:3]] == [(first, seq) for seq in range(3)]
        assert events[3].epoch not in (first, late.outbox.epoch)
        ends = [(event.id, event.reason) for event in events[4:]]
        assert ends == [(identity, "interrupted") for identity in ids]


def test_a_second_daemon_goes_on_in_memory_until_the_file_is_free(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    epoch = filled(path, 20)
    with capture_logs() as logs:
        with owner(path):
            found = Disk(path, retry_s=0.05)
            in_memory(found, "another process uses it")
            found.append(1, type="end")
            assert found.outbox.depth == 1, "the other one delivers what is in there"
        on_disk(found)
        events = found.deliver()
        found.outbox.close(10.0)
    assert [event.epoch for event in events[:20]] == [epoch] * 20
    assert [event.type for event in events[20:]] == ["end", "end"]
    hints = [log["problem"] for log in logs if log["event"] == "outbox_in_memory"]
    assert "Give every daemon an outbox.path of its own." in hints[0]


def test_a_file_that_is_damaged_while_it_is_used_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with disk(path) as found:
        found.append(1_000, type="end")
    with capture_logs() as logs, disk(path, retry_s=0.05) as found:
        first, shelf = found.outbox.epoch, len(found.waiting())
        with path.open("r+b") as file:  # a stretch in the middle, that nobody has read yet
            file.seek(path.stat().st_size // 2)
            file.write(b"\xa5" * 10 * PAGE)
        events = found.deliver()
        assert list(tmp_path.glob("outbox.db.damaged-*Z"))
        assert on_disk(found) != first
        found.append(1, type="end")
        numbers = [event.seq for event in events]
        assert numbers == sorted(set(numbers)), "in order, each once"
        assert set(range(shelf)) < set(numbers), "what was before the damage"
        assert numbers[-1] == 999, "what was behind it"
        assert len(numbers) > 900
    assert "outbox_damaged" in [log["event"] for log in logs]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow any more: an input/output error, to SQLite."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_input_output_error_is_left_for_memory_and_comes_back(tmp_path: Path) -> None:
    with disk(tmp_path / "outbox.db", retry_s=0.05) as found:
        found.append(30, type="end")
        first = found.outbox.epoch
        with largest_file(20_000):
            found.append(30, type="end")
            in_memory(found, "input/output error")
        third = on_disk(found)
        found.append(1, type="end")
        events = [(event.epoch, event.seq) for event in found.deliver()]
        assert events == [(event.epoch, event.seq) for event in found.heard]
        assert (events[0], events[-1]) == ((first, 0), (third, 0))


def test_closing_while_in_memory_tries_the_disk_once_more(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as place:
        with disk(place / "outbox.db", retry_s=600.0) as found:
            found.append(1, type="end")
            ballast = fill_up(place)
            found.append(20, type="end", label="x" * 5_000)
            in_memory(found, "the disk is full")
            ballast.unlink()
        with store(place / "outbox.db") as there:
            assert there.depth == 21
