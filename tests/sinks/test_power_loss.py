"""Power cuts and kill -9 at arbitrary instants of a working outbox; `make power-loss` does a thousand."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.disk_images import Disk, Operation, build_recorder, operations
from benchmarks.outbox_work import MARKS
from benchmarks.outcome import UnavailableError
from benchmarks.power_loss import ROOT, Marks, Verdict, judge, record_work, totals, verdicts
from tests.waiting import wait_for

pytestmark = pytest.mark.system

SNAPSHOTS = 50


def recorded(folder: Path, seed: int, steps: int, *, lying: bool = False) -> list[Operation]:
    try:
        return record_work(folder, seed, steps, lying=lying)
    except UnavailableError as error:
        pytest.skip(str(error))


def test_nothing_is_lost_whenever_the_power_goes(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(3), "big")
    found = recorded(tmp_path, seed, 300)
    figures = totals(verdicts(found, SNAPSHOTS, seed, tmp_path))
    nothing = dict.fromkeys(("corrupt", "lost", "reused", "changed", "left_open"), 0)
    assert figures == {"snapshots": SNAPSHOTS, **nothing}, f"seed {seed}"


def test_a_disk_that_lies_about_what_it_has_written_would_be_seen(tmp_path: Path) -> None:
    figures = totals(verdicts(recorded(tmp_path, 5, 150, lying=True), 20, 5, tmp_path))
    assert figures["lost"] > 0
    assert figures["corrupt"] > 0
    assert figures["left_open"] > 0


def test_nothing_is_lost_whenever_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(3)
    place = tmp_path / "work"
    place.mkdir()
    marks = place / MARKS
    for seed in range(6):
        before = marks.stat().st_size if marks.exists() else 0
        enough = before + chance.randrange(500, 20_000)
        command = [sys.executable, "-m", "benchmarks.outbox_work", str(place), str(seed), "1000000"]
        with subprocess.Popen(command, cwd=ROOT) as worker:
            wait_for(lambda size=enough: marks.exists() and marks.stat().st_size > size, "some work")  # type: ignore[misc]
            worker.send_signal(signal.SIGKILL)
        seen = Marks()
        for line in marks.read_text().splitlines():
            seen.add(line)
        copy = tmp_path / f"copy{seed}"
        shutil.copytree(place, copy)
        assert judge(copy, seen) == Verdict(0, 0, 0, 0, 0), (
            f"the {len(seen.committed)} events until kill {seed}"
        )


def test_the_recorder_sees_what_sqlite_does(tmp_path: Path) -> None:
    try:
        library = build_recorder(tmp_path)
    except UnavailableError as error:
        pytest.skip(str(error))
    (tmp_path / "there").mkdir()
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1])\n"
        "db.execute('CREATE TABLE a (b)'); db.execute('PRAGMA journal_mode = WAL')\n"
        "db.execute('INSERT INTO a VALUES (1)'); db.commit(); db.close()"
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "RECORD_FOLDER": str(tmp_path / "there"),
        "RECORD_LOG": str(tmp_path / "log"),
    }
    path = tmp_path / "there" / "a.db"
    subprocess.run([sys.executable, "-c", code, path], check=True, env=environment)
    found = list(operations((tmp_path / "log").read_bytes()))
    assert {(operation.kind, operation.name) for operation in found} >= {
        ("C", "a.db"),
        ("W", "a.db-wal"),
        ("S", "a.db-wal"),
        ("S", "a.db"),
        ("S", ""),
        ("D", "a.db-wal"),
    }
    disk = Disk()
    for operation in found:
        disk.apply(operation)
    images = [disk.image(random.Random(seed)) for seed in range(20)]
    assert {image["a.db"] for image in images} == {path.read_bytes()}, "all of it was synced"
    assert {"a.db-wal" in image for image in images} == {True, False}, "but not that the log is gone"
