"""What is written: one row for a sound, hours that add up, and no more than there is room for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aed_daemon.history.archive import Archive
from aed_daemon.history.ledger import Batch
from aed_daemon.history.rows import STEPS, Query
from aed_daemon.history.tally import Strength
from tests.history.parts import START_TS, end_of, event, hour, ledger, near_miss, written

DAY_S = 86_400.0


def test_a_sound_is_one_row_however_it_comes(tmp_path: Path) -> None:
    path, start = tmp_path / "history.db", event()
    update = start.model_copy(update={"type": "update", "score_max": 0.98, "seq": 1})
    with ledger(path) as found:
        found.write(Batch(events=[start]))
        (row,) = Archive(path).sounds(Query()).sounds
        assert (row.end_ts, row.score_max, row.seq) == (None, 0.97, 0)
        found.write(Batch(events=[update, end_of(update, 2.0, reason="gap", clip="porch/a.flac")]))
        found.write(Batch(events=[end_of(update, 2.0, reason="gap")]))  # told once more, without its clip
    (row,) = Archive(path).sounds(Query()).sounds
    assert (row.end_ts, row.score_max, row.seq) == (round(START_TS + 2.0, 3), 0.98, 2)
    assert (row.reason, row.clip) == ("gap", "porch/a.flac")


@pytest.mark.parametrize("order", ["before", "with", "after"])
def test_a_strength_finds_its_sound_whenever_it_is_known(tmp_path: Path, order: str) -> None:
    path, start = tmp_path / "history.db", event(1.0)
    events, strengths = [start, end_of(start)], [Strength("porch", "dog", start.start_sample, 0.75)]
    batches = {
        "before": [Batch(strengths=strengths), Batch(events=events)],
        "with": [Batch(events=events, strengths=strengths)],
        "after": [Batch(events=events), Batch(strengths=strengths)],
    }
    with ledger(path) as found:
        for batch in batches[order]:
            found.write(batch)
    (row,) = Archive(path).sounds(Query()).sounds
    assert row.strength == 0.75


def test_hours_add_up(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    counts = np.arange(STEPS, dtype=np.uint32)
    for _ in range(3):
        written(path, hours=[hour(heard_s=10.5, hops=4, scores=counts, strengths=counts * 2)])
    (found,) = Archive(path).hours()
    assert (found.heard_s, found.hops) == (31.5, 12)
    assert (found.scores == counts * 3).all()
    assert (found.strengths == counts * 6).all()


def test_counts_that_are_damaged_are_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "history.db", hours=[hour()])
    with ledger(path) as found:
        found._db.execute("UPDATE hour SET scores = x'00'")
        found.write(Batch(hours=[hour(hops=4)]))
    assert [one.hops for one in Archive(path).hours()] == [4]


def test_a_sound_that_was_left_open_is_marked_until_its_end_comes(tmp_path: Path) -> None:
    path, left = tmp_path / "history.db", event()
    other = event(5.0, node="elsewhere")
    written(path, events=[left, other])
    with ledger(path) as found:
        found.begin("hall-3f2a")
        assert [row.reason for row in Archive(path).sounds(Query()).sounds] == [None, "interrupted"]
        found.write(Batch(events=[end_of(left, 3.0, reason="shutdown")]))
    assert [row.reason for row in Archive(path).sounds(Query()).sounds] == [None, "shutdown"]


def test_what_is_too_old_goes_with_its_label(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    days = [event(n * DAY_S) for n in range(10)]
    hours = [hour(hour_ts=int(START_TS + n * DAY_S)) for n in range(10)]
    written(path, events=days, hours=hours)
    for day in days:
        Archive(path).label(day.id, "right")
    with ledger(path) as found:
        assert found.trim(START_TS + 6.5 * DAY_S, 10**9) == 7
    assert [row.id for row in Archive(path).sounds(Query()).sounds] == [day.id for day in days[:6:-1]]
    assert len(Archive(path).hours()) == 3
    with ledger(path) as found:
        assert found._db.execute("SELECT count(*) FROM label").fetchone() == (3,)


def test_a_file_that_is_too_large_loses_its_oldest(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    written(path, events=[event(float(n)) for n in range(4_000)])
    before = path.stat().st_size
    with ledger(path) as found:
        gone = found.trim(0.0, before // 2)
    rows = list(Archive(path).every(Query(limit=1_000)))
    assert 1_500 < gone < 3_000
    assert [round(row.start_ts - START_TS) for row in rows] == list(range(3_999, gone - 1, -1))
    assert path.stat().st_size <= before // 2


def test_a_limit_below_an_empty_file_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "history.db", events=[event()], near_misses=[near_miss()])
    with ledger(path) as found:
        assert found.trim(0.0, 1) == 2
