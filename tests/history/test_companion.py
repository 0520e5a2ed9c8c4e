"""The thread that writes: nothing waits for it, and no disk stops it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from aed_daemon.companions import Companion
from aed_daemon.config import Config, DetectionConfig
from aed_daemon.detector import Decision
from aed_daemon.features import Patch
from aed_daemon.history import companion
from aed_daemon.history.archive import Archive
from aed_daemon.history.companion import History, make, place
from aed_daemon.history.errors import HistoryError
from aed_daemon.history.file import open_file
from aed_daemon.history.rows import Query
from aed_daemon.observer import Observation
from tests.history.parts import CLASSIFIER, end_of, event, history
from tests.sinks.disks import small_disk
from tests.waiting import wait_for


def hop(number: int, best: int = 0, source: str = "porch") -> Observation:
    """Return a hop in which the dog has so many steps and everything else none."""
    scores = np.full(len(CLASSIFIER.manifest.labels), -128, np.int8)
    scores[0] = best - 128
    end_sample = 15_600 + number * 3_840
    patch = Patch(number * 24, np.zeros((96, 64), np.float32))
    decision = Decision(end_sample, scores, False, -4_000, -3_000, -6_000, False, [], patch)
    return Observation(source, end_sample, decision)


def rows(found: History) -> int:
    try:
        return len(found.sounds(Query(limit=1_000, kinds=())).sounds)
    except HistoryError:  # not there yet
        return -1


def test_an_event_is_there_soon_and_without_a_close(tmp_path: Path) -> None:
    with history(tmp_path / "history.db") as found:
        start = event()
        found.event(start)
        found.event(end_of(start))
        wait_for(lambda: rows(found) == 1, "the event")
        assert found.problem is None


def test_near_misses_and_hours_of_two_sources(tmp_path: Path) -> None:
    with history(tmp_path / "history.db") as found:
        for source in ("porch", "yard"):
            for number in range(40):
                found.hop(hop(number, 100 if number in (3, 4, 5, 20) else 0, source))
    archive = Archive(tmp_path / "history.db")
    near = archive.sounds(Query(kinds=("near_miss",))).sounds
    assert sorted((sound.source, sound.score_max) for sound in near) == [
        ("porch", 0.3906), ("porch", 0.3906), ("yard", 0.3906), ("yard", 0.3906)
    ]  # fmt: skip
    strengths = {(sound.source, sound.strength) for sound in near}
    assert strengths == {(source, value) for source in ("porch", "yard") for value in (0.0, 100 / 256)}
    dogs = [hour for hour in archive.hours() if hour.class_ == "dog"]
    assert {hour.source for hour in dogs} == {"porch", "yard"}
    assert sum(hour.hops for hour in dogs) == 80
    assert sum(int(hour.scores[100]) for hour in dogs) == 8


def test_a_gap_ends_what_was_near(tmp_path: Path) -> None:
    with history(tmp_path / "history.db") as found:
        for number in range(4):
            found.hop(hop(number, 100))
        found.gap("porch", 30_000, 60_000)
        found.gap("unheard", 0, 1)
        for number in range(50, 54):
            found.hop(hop(number, 100))
    assert len(Archive(tmp_path / "history.db").sounds(Query(kinds=("near_miss",))).sounds) == 2


def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "QUEUE_EVENTS", 10)
    monkeypatch.setattr(companion, "QUEUE_HOPS", 20)
    entered, go_on = threading.Event(), threading.Event()

    def hang(path: Path) -> sqlite3.Connection:
        entered.set()
        go_on.wait(60.0)
        return open_file(path)

    monkeypatch.setattr(companion, "open_file", hang)
    with history(tmp_path / "history.db") as found:
        found.event(event())
        assert entered.wait(20.0)
        for number in range(50):
            found.event(event(float(number + 1)))
            found.hop(hop(number))
        assert found.dropped == 40 + 30
        go_on.set()
        wait_for(lambda: rows(found) == 11, "what had room to wait")


def fill(path: Path) -> None:
    """Write until there is no room left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass


def test_a_disk_that_is_full_is_reported_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "_RETRY_S", 0.05)
    with small_disk(tmp_path / "disk", "1M") as disk, capture_logs() as logs:
        filler = disk / "filler"
        with history(disk / "history.db") as found:
            found.event(event())
            wait_for(lambda: rows(found) == 1, "the first event")
            fill(filler)
            for number in range(400):
                found.event(event(float(number + 1)))
            wait_for(lambda: found.problem is not None, "the problem")
            filler.unlink()
            wait_for(lambda: rows(found) == 401, "everything, once there is room")
            assert (found.problem, found.dropped) == (None, 0)
    assert [log["event"] for log in logs] == ["history_not_written", "history_written_again"]
    assert "disk is full" in logs[0]["problem"]


def test_what_waits_for_a_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "_KEPT_ROWS", 40)
    monkeypatch.setattr(companion, "_RETRY_S", 0.01)
    (tmp_path / "file").touch()
    with history(tmp_path / "file" / "history.db") as found:
        for number in range(25):
            found.event(event(float(number)))
        wait_for(lambda: found.dropped == 15, "the oldest are dropped")
        assert "cannot be kept there" in (found.problem or "")


def test_a_row_that_cannot_be_written_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "_RETRY_S", 0.01)
    with capture_logs() as logs, history(tmp_path / "history.db") as found:
        found.event(event().model_copy(update={"start_ts": float("nan")}))
        wait_for(lambda: found.dropped == 1, "the row is dropped")
        found.event(event(1.0))
        wait_for(lambda: rows(found) == 1, "the next one")
    assert logs[0]["event"] == "history_failed_unexpectedly"


def test_thresholds_that_are_changed_hold_for_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "_RULES_S", 0.0)
    holds = [DetectionConfig()]
    archive = Archive(tmp_path / "history.db")
    with history(archive.path, lambda _: holds[0]) as found:
        for number in range(8):
            found.hop(hop(number, 140))
        wait_for(lambda: not found._hops, "they are counted")
        found.event(event())
        wait_for(lambda: rows(found) == 1, "a turn later")
        holds[0] = DetectionConfig.model_validate({"defaults": {"threshold_on": 0.6, "threshold_off": 0.5}})
        for number in range(8, 16):
            found.hop(hop(number, 140))
    near = archive.sounds(Query(kinds=("near_miss",))).sounds
    assert [(sound.class_, sound.strength) for sound in near] == [("dog", 140 / 256)]
    of_dog = [one for one in archive.hours() if one.class_ == "dog"]
    assert sorted((json.loads(one.rule)["off_steps"], one.on_steps, one.hops) for one in of_dog) == [
        (77, 128, 8), (128, 154, 8)
    ]  # fmt: skip


def test_a_file_that_is_damaged_while_it_runs_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "_RETRY_S", 0.01)
    path = tmp_path / "history.db"
    with history(path) as found:
        for number in range(300):
            found.event(event(float(number)))
        wait_for(lambda: rows(found) == 300, "the first events")
    path.write_bytes(bytes(8_192) + path.read_bytes()[8_192:])
    with capture_logs() as logs, history(path) as found:
        found.event(event(1_000.0))
        wait_for(lambda: rows(found) == 1, "an event in a new file")
    assert [log["event"] for log in logs] == ["history_damaged"]


def test_another_programs_file_is_left_alone_and_the_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE states (state TEXT)")
    db.close()
    before = path.read_bytes()
    with capture_logs() as logs, history(path) as found:
        found.event(event())
        wait_for(lambda: found.problem, "the problem")
    assert "another program's database" in logs[0]["problem"]
    assert path.read_bytes() == before


def test_it_lies_where_the_configuration_or_the_daemon_says(tmp_path: Path) -> None:
    assert place(tmp_path / "a.db", tmp_path) == tmp_path / "a.db"
    assert place(None, tmp_path) == tmp_path / "history.db"
    assert place(None, None) is None


def test_without_a_place_there_is_no_history(tmp_path: Path) -> None:
    from aed_daemon.companions import Surroundings

    config = Config.model_validate({"source": [{"type": "demo", "name": "porch"}]})
    around = Surroundings(
        config, CLASSIFIER, None, lambda: pytest.fail("not asked"), dict, lambda _: config.detection
    )
    assert type(make(around)) is Companion
