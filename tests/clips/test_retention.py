"""Retention: the oldest go, never what is not its own, and a disk that others fill keeps some room."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aed_daemon.clips.folder import ClipFolder
from aed_daemon.clips.retention import Retention
from aed_daemon.events import new_ulid
from tests.clips.test_folder import place
from tests.sinks.disks import small_disk

NOW_S = 1_800_000_000.0


class Shelf:
    """A folder of clips under rules."""

    def __init__(self, root: Path, *, age_s: float = 0, clips: int = 1_000, free: int = 0) -> None:
        self.folder = ClipFolder(root)
        self.now_s = 0.0
        self.retention = Retention(
            self.folder,
            max_age_s=age_s,
            max_clips=clips,
            min_free_bytes=free,
            clock=lambda: NOW_S,
            monotonic=lambda: self.now_s,
        )

    def clip(self, age_s: float, source: str = "porch", size: int = 1_000) -> str:
        """Put a clip with all its files there, so old."""
        identity = new_ulid(NOW_S - age_s)
        for suffix in (".flac", ".json", ".png"):
            place(self.folder.root, self.folder.name(source, identity, suffix), bytes(size))
        return identity

    @property
    def left(self) -> set[str]:
        return {file.id for file in self.folder.files()}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "4m") as place:
        yield place


def free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def test_what_is_too_old_goes_whatever_source_it_is_of(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, age_s=3_600)
    shelf.clip(4_000)
    shelf.clip(3_700, "hall")
    young = {shelf.clip(3_500), shelf.clip(10, "hall")}
    shelf.retention.enforce()
    assert (shelf.left, shelf.retention.deleted) == (young, 2)
    assert len(list(tmp_path.rglob("*"))) == 2 * (2 + 3), "all files of a clip go, and folders that are empty"


def test_of_too_many_the_oldest_go_before_the_next_is_written(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clips=3)
    kept = [shelf.clip(age) for age in (10, 20, 30, 40, 50)][:3]
    shelf.retention.enforce()
    assert shelf.left == set(kept)
    shelf.retention.enforce(need_clips=1)
    assert shelf.left == set(kept[:2])


def test_what_others_have_deleted_or_added_is_no_error(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clips=3)
    first, second, third = (shelf.clip(age) for age in (30, 20, 10))
    shelf.retention.enforce()
    for file in tmp_path.rglob(f"{first}.*"):
        file.unlink()
    added = shelf.clip(25)
    shelf.retention.enforce(need_clips=1)  # it believes that the first is still there, and deletes that
    assert shelf.left == {added, second, third}
    shelf.now_s += 3_600
    shelf.retention.enforce(need_clips=1)
    assert shelf.left == {second, third}, "after a new look it knows"


def test_what_is_not_its_own_is_never_deleted(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, age_s=1, clips=1)
    identity = shelf.clip(1_000_000)
    day = shelf.folder.find(identity).parent  # type: ignore[union-attr] # it has just been put there
    foreign = [
        place(tmp_path, "notes.txt"),
        place(tmp_path, f"{identity}.flac"),
        place(tmp_path, f"porch/{identity}.flac"),
        place(tmp_path, "porch/2020-01-01/concert.flac"),
        place(tmp_path, f"porch/2020-01-01/{identity}.mp3"),
        place(tmp_path, f"porch/2020-01-01/{identity}.flac.bak"),
        place(tmp_path, f"porch/2020-01-01/x{identity}.flac"),
        place(tmp_path, f"porch/favourites/{identity}.flac"),
        place(tmp_path, f"porch/2020-01-01/deeper/{identity}.flac"),
        place(day, "keep.me"),
    ]
    outside = place(tmp_path.parent / f"{tmp_path.name}-outside", f"2020-01-01/{identity}.flac")
    (tmp_path / "link").symlink_to(outside.parents[1])
    (day / f"{new_ulid(1.0)}.flac").symlink_to(outside)
    (tmp_path / "porch" / "2020-01-01" / f"{new_ulid(1.0)}.flac").mkdir()
    shelf.retention.enforce()
    assert shelf.left == set()
    assert all(path.exists() for path in [*foreign, outside])
    assert len(list(tmp_path.rglob("*.flac"))) == 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1


def test_only_what_was_begun_long_ago_counts_as_abandoned(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old, new = (
        place(tmp_path, shelf.folder.name("porch", new_ulid(NOW_S), ".flac") + ".partial") for _ in range(2)
    )
    os.utime(old, (NOW_S - 4_000, NOW_S - 4_000))
    os.utime(new, (NOW_S - 100, NOW_S - 100))
    shelf.retention.enforce()
    assert (old.exists(), new.exists()) == (False, True)


def test_free_space_is_held_against_somebody_who_fills_the_disk(disk: Path) -> None:
    shelf = Shelf(disk / "clips", free=1_000_000)
    clips = [shelf.clip(1_000 - age, size=40_000) for age in range(20)]
    shelf.retention.enforce()
    assert shelf.left == set(clips)
    for megabyte in range(1, 3):
        place(disk, f"others-{megabyte}", bytes(1_000_000))
        shelf.retention.enforce()
        assert free_bytes(disk) >= 1_000_000
    left = shelf.left
    assert 0 < len(left) < 20
    assert left == set(clips[-len(left) :]), "the oldest have gone"


def test_where_deleting_everything_is_not_enough_it_says_so(disk: Path) -> None:
    shelf = Shelf(disk / "clips", free=1_000_000)
    shelf.clip(10)
    place(disk, "others", bytes(3_400_000))
    with pytest.raises(OSError, match="MB are free") as found:
        shelf.retention.enforce(need_bytes=50_000)
    assert found.value.errno == errno.ENOSPC
    assert shelf.left == set()
    (disk / "others").unlink()
    shelf.retention.enforce(need_bytes=50_000)


def test_clips_that_others_have_added_make_room_too(disk: Path) -> None:
    shelf = Shelf(disk / "clips", free=1_000_000)
    shelf.retention.enforce()
    shelf.clip(10, size=1_100_000)
    shelf.retention.enforce()
    assert (shelf.left, free_bytes(disk) > 3_000_000) == (set(), True)
