"""The file: private, brought up to date from every earlier version, set aside where it is damaged."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aed_daemon.history.archive import Archive
from aed_daemon.history.errors import HistoryError
from aed_daemon.history.file import open_existing, open_file, open_to_read
from aed_daemon.history.rows import Query
from aed_daemon.history.schema import APPLICATION_ID, MIGRATIONS
from tests.history.parts import event, hour, near_miss, written

VERSIONS = sorted((Path(__file__).parent / "versions").glob("*.sql"))


def stored(version: Path, folder: Path) -> Path:
    """Return a file as the daemon of that version left it."""
    path = folder / "history.db"
    with sqlite3.connect(path) as db:
        db.executescript(version.read_text(encoding="utf-8"))
    db.close()
    return path


def number(path: Path, pragma: str) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
    finally:
        db.close()


def test_every_version_that_there_was_is_stored() -> None:
    names = [path.name for path in VERSIONS]
    assert names == [f"{version}.sql" for version in range(1, len(MIGRATIONS) + 1)], (
        "a new version: store a file of it with `python -m tests.history.store_version`"
    )


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_is_read_as_one_of_this(version: Path, tmp_path: Path) -> None:
    path = stored(version, tmp_path)
    assert number(path, "user_version") == int(version.stem)
    open_file(path).close()
    assert number(path, "user_version") == len(MIGRATIONS)
    archive = Archive(path)
    found = archive.sounds(Query(kinds=("event", "near_miss", "missed"))).sounds
    assert [(sound.kind, sound.class_, sound.label) for sound in found] == [
        ("missed", "dog", "missed"),
        ("near_miss", "dog", None),
        ("event", "rain", "wrong"),
        ("event", "dog", "right"),
    ]
    assert (found[3].score_max, found[3].duration_s, found[3].strength) == (0.97, 1.5, 0.9375)
    (of_dog,) = archive.hours()
    assert (of_dog.hops, int(of_dog.scores[200]), int(of_dog.strengths[240])) == (15_000, 7, 1)


def test_a_version_to_come_finds_what_is_there(tmp_path: Path) -> None:
    path = stored(VERSIONS[-1], tmp_path)
    further = "ALTER TABLE sound ADD COLUMN note TEXT; UPDATE sound SET note = class || '!';"
    db = open_file(path, (*MIGRATIONS, further))
    assert {row[0] for row in db.execute("SELECT note FROM sound")} == {"dog!", "rain!"}
    db.close()
    assert number(path, "user_version") == len(MIGRATIONS) + 1
    before = path.read_bytes()
    for opened in (open_file, open_existing, open_to_read):
        with pytest.raises(HistoryError, match="of a newer version"):
            opened(path)
    assert path.read_bytes() == before, "it is left alone"


def test_a_version_whose_coming_fails_changes_nothing(tmp_path: Path) -> None:
    path = stored(VERSIONS[-1], tmp_path)
    with pytest.raises(HistoryError, match="no such table"):
        open_file(path, (*MIGRATIONS, "ALTER TABLE sound ADD COLUMN note TEXT; UPDATE absent SET a = 1;"))
    db = open_file(path)
    assert "note" not in {row[1] for row in db.execute("PRAGMA table_info(sound)")}
    db.close()


def test_a_reader_of_an_older_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(VERSIONS[-1], tmp_path)
    monkeypatch.setattr("aed_daemon.history.file.MIGRATIONS", (*MIGRATIONS, "SELECT 1;"))
    with pytest.raises(HistoryError, match="Restart the daemon"):
        open_to_read(path)


def test_it_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "history.db"
    db = open_file(path)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert number(path, "application_id") == APPLICATION_ID
    db.close()
    path.chmod(0o644)
    open_file(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def spoil_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4_096 : len(content) // 2] = b"\xa5" * (len(content) // 2 - 4_096)
    path.write_bytes(content)


def spoil_tables(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("DROP TABLE hour")
    db.close()


@pytest.mark.parametrize(
    "spoil",
    [spoil_middle, spoil_tables, lambda path: path.write_bytes(b"\xa5" * 9_000)],
    ids=["pages", "tables", "noise"],
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begins(tmp_path: Path, spoil: object) -> None:
    path = written(tmp_path / "history.db", events=[event(n) for n in range(300)])
    spoil(path)  # type: ignore[operator]
    content = path.read_bytes()
    with capture_logs() as logs:
        open_file(path).close()
    (aside,) = [
        file for file in tmp_path.glob("history.db.damaged-*") if not re.search("-(wal|shm)$", file.name)
    ]
    assert aside.read_bytes() == content
    assert [(log["event"], log["set_aside"]) for log in logs] == [("history_damaged", str(aside))]
    assert Archive(path).sounds(Query()).sounds == ()


def test_only_the_last_damaged_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    for _ in range(5):
        path.write_bytes(b"\xa5" * 9_000)
        open_file(path).close()
    assert len(list(tmp_path.glob("history.db.damaged-*"))) == 3


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "home-assistant_v2.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE states (state TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="another program's database"):
        open_file(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_is_none_a_reader_says_so(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history yet"):
        open_to_read(tmp_path / "history.db")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_a_file_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match="cannot be kept there"):
        open_file(tmp_path / "file" / "history.db")


def test_a_copy_of_a_file_is_the_same_history(tmp_path: Path) -> None:
    path = written(tmp_path / "history.db", events=[event()], near_misses=[near_miss(1)], hours=[hour()])
    copy = shutil.copy(path, tmp_path / "copy.db")
    query = Query(kinds=("event", "near_miss"))
    assert Archive(Path(copy)).sounds(query) == Archive(path).sounds(query)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks into other users' files")
def test_what_root_reads_stays_its_owners(tmp_path: Path) -> None:
    path, service = written(tmp_path / "history.db", events=[event()]), 65_534
    os.chown(path, service, service)
    db = open_to_read(path)
    db.execute("SELECT count(*) FROM sound").fetchone()
    left = {file.name: (file.stat().st_uid, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    db.close()
    assert len(left) > 1, "the log's index is there"
    assert set(left.values()) == {(service, 0o600)}
