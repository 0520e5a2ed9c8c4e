"""Opening an outbox's file: private, one owner, and what cannot be read is set aside and saved from."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.store import Store
from aed_daemon.sinks.store_damage import SET_ASIDE_KEPT
from aed_daemon.sinks.store_errors import StoreError
from tests.sinks.disks import Clocks, small_disk, store
from tests.sinks.parts import draft

PAGE = 4_096


def filled(path: Path, count: int = 200) -> str:
    """Make a store with so many events that wait, a hole and an open sound; return its epoch."""
    with store(path, events=count) as found:
        sound = draft()
        found.write([sound, *(draft(type="end") for _ in range(count))])
        assert found.depth == count
        return found.epoch


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    path, before = tmp_path / "state" / "outbox.db", os.umask(0)
    try:
        with store(path) as found:
            found.write([draft()])
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"outbox.db": 0o600, "outbox.db-wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    with store(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_disk_is_told_to_keep_what_it_acknowledges(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        pragmas = ("journal_mode", "synchronous", "locking_mode", "mmap_size")
        values = [found._db.execute(f"PRAGMA {name}").fetchone() for name in pragmas]
        assert [value and value[0] for value in values] == ["wal", 2, "exclusive", 0]


@contextmanager
def owner(path: Path) -> Iterator[None]:
    """Another process that has the file."""
    code = (
        "import sys; from pathlib import Path; from tests.sinks.disks import store\n"
        "with store(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        yield
        other.communicate("")


def test_a_second_daemon_is_told_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    epoch = filled(path)
    with owner(path):
        with pytest.raises(StoreError, match="another process uses it") as caught, store(path):
            pass
        assert caught.value.in_use
        assert not caught.value.corrupt
    with store(path) as found:
        assert (found.epoch, found.depth) == (epoch, 200)


@pytest.mark.parametrize("content", [b"\0" * 9_000, b"SQLite format 3\0" + b"x" * 9_000, b"not a database"])
def test_what_is_no_store_is_set_aside_and_a_new_epoch_begins(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(content)
    with capture_logs() as logs, store(path) as found:
        assert found.facts().depth == 0
        found.write([draft()])
    (aside,) = tmp_path.glob("outbox.db.damaged-*Z")
    assert aside.read_bytes() == content
    assert [log["event"] for log in logs] == ["outbox_damaged"]
    assert logs[0]["set_aside"] == str(aside)


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").touch()
    with store(tmp_path / "outbox.db") as found:
        assert found.write([draft()]).events[0].seq == 0
    assert not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize("seed", range(8))
def test_what_can_be_read_of_a_damaged_store_is_saved(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "outbox.db", random.Random(seed)
    epoch = filled(path)
    content = bytearray(path.read_bytes())
    at = chance.randrange(1, len(content) // PAGE) * PAGE
    content[at : at + PAGE] = chance.randbytes(PAGE)
    path.write_bytes(content)
    clocks = Clocks()
    with store(path, clocks.opener()) as found:
        assert found.epoch != epoch
        numbers = [(row.epoch, row.seq) for row in found.rows()]
        assert numbers == sorted(numbers)
        assert set(numbers) <= {(epoch, seq) for seq in range(1, 201)}
        assert [event.seq for event in found.write([draft()]).events] == [0]
        left = len(numbers)
    (aside,) = tmp_path.glob("outbox.db.damaged-*Z")
    assert aside.stat().st_size == len(content)
    assert left > 100, f"of 200, with one page in {len(content) // PAGE} bad"


def test_holes_and_open_sounds_of_a_damaged_store_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    epoch = filled(path)
    with sqlite3.connect(path) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'dead_letter'").fetchone()[0]
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)
    with store(path, events=1_000) as found:
        assert found.depth == 200
        assert found.holes() == [Hole(epoch, 0, 0, "outbox_full")]
        assert [event.seq for event, _ in found.open_sounds()] == [0]


def test_the_last_few_damaged_files_are_kept(tmp_path: Path) -> None:
    path, clocks = tmp_path / "outbox.db", Clocks()
    with capture_logs() as logs:
        for number in range(SET_ASIDE_KEPT + 2):
            path.write_bytes(b"damaged %d" % number)
            clocks.on(0.4)  # several in one second
            with store(path, clocks.opener()):
                pass
    kept = {file.read_bytes() for file in tmp_path.glob("outbox.db.damaged-*")}
    assert kept == {b"damaged %d" % number for number in range(2, SET_ASIDE_KEPT + 2)}
    assert [log["event"] for log in logs].count("outbox_damaged_file_deleted") == 2


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photo (id)")
    db.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match="another program's"), store(path):
        pass
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["photos.db"]


def test_a_store_of_a_later_version_is_set_aside_and_its_events_saved(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    epoch = filled(path, 5)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with store(path) as found:
        assert [row.epoch for row in found.rows()] == [epoch] * 5
        assert found.epoch != epoch


def test_a_place_that_cannot_be_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match=r"file/outbox\.db: the outbox cannot be kept on disk"),
        store(tmp_path / "file" / "outbox.db"),
    ):
        pass


def fill(found: Store) -> None:
    for _ in range(200):
        found.write([draft()])


def test_a_full_disk_is_an_error_and_no_damage(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as place:
        path = place / "outbox.db"
        with store(path) as found, pytest.raises(StoreError, match="the disk is full") as caught:
            fill(found)
        assert caught.value.full
        subprocess.run(["mount", "-o", "remount,size=1m", place], check=True)
        with store(path) as found:
            assert found.depth > 0
            assert [row.seq for row in found.rows()] == list(range(found.depth))
