"""Clips on disks that are full, read-only, gone or stuck: events go out, and say that they have no clip."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from aed_daemon.clips import writer as writer_module
from tests.clips.rooms import RATE_HZ, Room, read, room, scape
from tests.clips.test_folder import place
from tests.clips.test_retention import free_bytes
from tests.sinks.disks import block_disk, frozen, small_disk
from tests.waiting import wait_for

SOUND = scape(1, 12.0)
DOG = SOUND[: 4 * RATE_HZ]
SHORT: dict[str, Any] = {"pre_s": 1.0, "post_s": 1.0, "max_s": 10.0}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "4m") as place:
        yield place


def take_what_is_free(disk: Path) -> Path:
    """Write as much as can be written."""
    path = disk / "others"
    with path.open("ab", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def fill(disk: Path) -> Path:
    """Leave nothing."""
    path = take_what_is_free(disk)
    assert free_bytes(disk) == 0
    return path


def dealt_with(at: Room) -> int:
    counters = at.clips.counters
    return counters.written + counters.failed + counters.refused


def wait_until(at: Room, *, recorded: bool) -> None:
    """Wait until the disk is found to be as it is."""
    wait_for(lambda: (at.clips.problem is None) == recorded, "the disk is noticed")


def test_on_a_full_disk_events_go_out_without_clips_and_it_works_again_by_itself(disk: Path) -> None:
    with room(disk / "clips", **SHORT) as at:
        others = fill(disk)
        with capture_logs() as logs:
            wait_until(at, recorded=False)
            refused = at.hear(DOG)
        assert [event.type for event in refused].count("end") == 2
        assert {event.clip for event in refused} == {None}
        assert at.clips.counters.refused >= 2
        said = [log["event"] for log in logs if log["log_level"] in ("warning", "error")]
        assert said.count("clip_not_recorded") == 1, "once a minute"
        assert "clips_cannot_be_written" in said
        others.unlink()
        wait_until(at, recorded=True)
        assert all(event.clip for event in at.hear(DOG))
    for event in at.ended()[-2:]:
        assert np.array_equal(read(at.path(event)).pcm, DOG[read(at.path(event)).span])
    assert not list(disk.rglob("*.partial"))


def test_a_disk_that_fills_while_a_sound_goes_on_its_end_says_so(disk: Path) -> None:
    """Here the room cannot even be reserved."""
    with room(disk / "clips", **SHORT, round_s=1e9, classes=["dog"]) as at:
        others = fill(disk)
        failed = at.clips.counters
        at.hear(
            SOUND[: 2 * RATE_HZ],
            lambda: wait_for(lambda: failed.failed == 1, "it fails"),
            SOUND[2 * RATE_HZ :],
        )
        others.unlink()
    first = next(event for event in at.events if event.class_ == "dog")
    same = [event.clip for event in at.events if event.id == first.id]
    assert same[0] is not None
    assert same[-1] is None
    assert {event.clip for event in at.events if event.start_sample > 4 * RATE_HZ} == {None}, "from then on"


def test_the_room_for_a_clip_is_taken_when_it_begins(disk: Path) -> None:
    with room(disk / "clips", **SHORT) as at:

        def fill_now() -> None:
            wait_for(lambda: len(list(disk.rglob("*.partial"))) == 2, "both have their room")
            fill(disk)

        at.hear(DOG[: 2 * RATE_HZ], fill_now, DOG[2 * RATE_HZ :])
        wait_for(lambda: at.clips.counters.written == 2, "both are written")
    for event in at.ended():
        assert event.clip is not None
        path = at.clips.resolve(event.clip)
        assert path is not None, "the sound itself is there, what lies beside it may not be"
        assert path.stat().st_size < 200_000, "what was not needed has been given back"


def test_retention_holds_free_space_while_clips_would_fill_the_disk(disk: Path) -> None:
    """Everything is recorded, for long, on a disk that has room for a few clips."""
    free_mb, least = 1.0, []
    with room(disk / "clips", **{**SHORT, "format": "wav"}, min_free_mb=free_mb) as at:
        for turn in range(12):
            at.hear(SOUND)
            wait_for(lambda: dealt_with(at) >= len(at.ended()), "all of it is dealt with")
            least.append(free_bytes(disk))
            assert at.clips.counters.written > turn, "it goes on recording"
        at.hear(DOG)
    assert at.clips.counters.deleted > 10
    assert at.clips.counters.failed == 0
    assert min(least) >= free_mb * 1e6
    kept = {path.stem for path in disk.rglob("*.wav")}
    recorded = [event.id for event in at.ended() if event.clip]
    assert kept == set(sorted(recorded)[-len(kept) :]), "the oldest have gone"
    assert len(kept) < len(recorded)


def test_free_space_is_watched_while_nothing_is_recorded(disk: Path) -> None:
    with room(disk / "clips", **SHORT, min_free_mb=2.0) as at:
        for _ in range(6):
            at.hear(DOG)
        wait_for(lambda: at.clips.counters.written == 12, "some clips")
        room_left = free_bytes(disk) - 2_000_000
        place(disk, "others", bytes(room_left + 200_000))
        wait_for(lambda: free_bytes(disk) >= 2_000_000, "the oldest go")
        assert 0 < len(list(disk.rglob("*.flac"))) < 12


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file")
    with capture_logs() as logs, room(tmp_path / "clips", **SHORT) as at:
        assert at.clips.problem is not None
        assert {event.clip for event in at.hear(DOG)} == {None}
        (tmp_path / "clips").unlink()
        wait_until(at, recorded=True)
        assert all(event.clip for event in at.hear(DOG))
    assert "clips_work_again" in [log["event"] for log in logs]


def test_a_disk_that_becomes_read_only(disk: Path) -> None:
    with room(disk / "clips", **SHORT) as at:
        at.hear(DOG)
        wait_for(lambda: at.clips.counters.written == 2, "the first clips")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        wait_until(at, recorded=False)
        assert {event.clip for event in at.hear(DOG)} == {None}
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        wait_until(at, recorded=True)


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "STUCK_S", 0.2)
    with block_disk(tmp_path / "disk") as slow, room(slow / "clips", **SHORT) as at:
        with frozen(slow):
            wait_until(at, recorded=False)
            assert at.clips.problem == "the disk does not answer"
            heard = at.hear(DOG)
            assert [event.type for event in heard].count("end") == 2
            assert {event.clip for event in heard} == {None}
        wait_until(at, recorded=True)
        at.hear(DOG)
        at.clips.close(20.0)


def test_more_than_may_wait_is_dropped_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MOST_WAITING_BYTES", 300_000)
    with block_disk(tmp_path / "disk") as slow, capture_logs() as logs, room(slow / "clips", **SHORT) as at:
        with frozen(slow):
            for _ in range(4):
                at.hear(DOG)
            assert at.clips.counters.failed > 0
        at.clips.close(20.0)
        assert at.clips.counters.written + at.clips.counters.failed == 8
    assert [log["error"] for log in logs if log["event"] == "clip_not_written"]
    assert not list(tmp_path.rglob("*.partial"))


def test_a_library_that_is_missing_is_a_problem_of_the_clips_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with capture_logs() as logs, room(tmp_path, **SHORT) as at:
        at.hear(DOG)
        wait_for(lambda: at.clips.counters.failed == 2, "both fail")
    assert any("Install the Python package soundfile" in log.get("error", "") for log in logs)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_was_begun_by_a_process_that_was_killed_is_cleared_away(tmp_path: Path) -> None:
    with room(tmp_path, **SHORT) as at:
        at.hear(DOG)
    left = tmp_path / f"{at.ended()[0].clip}.partial"
    left.write_bytes(bytes(1_000))
    os.utime(left, (1_000, 1_000))
    with room(tmp_path, **SHORT):
        wait_for(lambda: not left.exists(), "it is gone")
