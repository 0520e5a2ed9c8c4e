"""Store: numbers, limits, holes, ages; all of a transaction or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.store import Store
from aed_daemon.sinks.store_errors import StoreError
from aed_daemon.sinks.store_rows import DEAD_LETTERS_KEPT, Carried, Row
from tests.sinks.disks import Clocks, store
from tests.sinks.parts import draft


def numbers(found: Store) -> list[int]:
    return [row.seq for row in found.rows()]


def positions(found: Store) -> dict[int, int]:
    return {row.seq: row.position for row in found.rows()}


def test_numbers_go_on_in_the_same_epoch_after_the_file_was_closed(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as first:
        events = first.write([draft(), draft()]).events
        epoch = first.epoch
    with store(tmp_path / "a.db") as second:
        events += second.write([draft()]).events
        assert [(event.epoch, event.seq) for event in events] == [(epoch, 0), (epoch, 1), (epoch, 2)]
        assert numbers(second) == [0, 1, 2]
        assert second.depth == 3


def test_every_store_has_its_own_epoch_and_positions(tmp_path: Path) -> None:
    clocks = Clocks()
    with store(tmp_path / "a.db", clocks.opener()) as a:
        clocks.on(0.01)
        with store(tmp_path / "b.db", clocks.opener()) as b:
            assert a.epoch != b.epoch
            assert b.next_position - a.next_position >= 1 << 20


def test_a_transaction_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        found.write([draft()])
        pages = found._db.execute("PRAGMA page_count").fetchone()[0]
        found._db.execute(f"PRAGMA max_page_count = {pages + 4}")
        before = found.facts()
        with pytest.raises(StoreError, match="the disk is full") as caught:
            found.write([draft(label="x" * 20_000)] * 3, settled={positions(found)[0]: None})
        assert caught.value.full
        assert found.facts() == before
        assert numbers(found) == [0]
        found._db.execute("PRAGMA max_page_count = 100000")
        assert [event.seq for event in found.write([draft()]).events] == [1]


def test_what_is_settled_is_gone_or_a_dead_letter(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        found.write([draft() for _ in range(4)])
        at = positions(found)
        found.write(settled={at[0]: None, at[2]: "Not authorized", 77: None, 78: "gone already"})
        assert numbers(found) == [1, 3]
        assert [refusal.reason for refusal in found.refusals()] == ["Not authorized"]
        assert '"seq":2' in found.refusals()[0].payload


def test_dead_letters_are_bounded_to_the_last_ones(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        found.write([draft() for _ in range(DEAD_LETTERS_KEPT + 5)])
        found.write(settled=dict.fromkeys(positions(found).values(), "refused"))
        refusals = found.refusals()
        assert len(refusals) == DEAD_LETTERS_KEPT
        assert '"seq":5,' in refusals[0].payload


def test_an_event_that_nobody_could_read_is_a_dead_letter_at_once(tmp_path: Path) -> None:
    bad = draft(level=draft().level.model_copy(update={"snr_db": float("nan")}))
    with store(tmp_path / "a.db") as found:
        written = found.write([bad, draft()])
        assert [event.seq for event in written.events] == [0, 1]
        assert written.invalid == 1
        assert numbers(found) == [1]


def test_the_oldest_go_when_there_are_too_many_and_the_hole_grows(tmp_path: Path) -> None:
    with store(tmp_path / "a.db", events=4) as found:
        for _ in range(10):
            found.write([draft()])
        assert numbers(found) == [6, 7, 8, 9]
        assert found.holes() == [Hole(found.epoch, 0, 5, "outbox_full")]
        found.write([draft()], announced=[Hole(found.epoch, 0, 5, "outbox_full")])
        assert found.holes() == [Hole(found.epoch, 6, 6, "outbox_full")]
        found.write(announced=[Hole("ffffffff", 0, 99, "outbox_full")])
        assert len(found.holes()) == 1


def test_the_oldest_go_when_they_take_too_many_bytes(tmp_path: Path) -> None:
    size = len(draft().to_json().encode())
    with store(tmp_path / "a.db", payload_bytes=5 * size) as found:
        found.write([draft() for _ in range(9)])
        assert found.depth in (4, 5)
        assert found.holes() == [Hole(found.epoch, 0, 8 - found.depth, "outbox_full")]
        kept = found.depth
    with store(tmp_path / "a.db", payload_bytes=1) as found:
        assert found.depth == 0, f"of {kept}: the limit is kept to from the start"


def test_what_has_waited_too_long_goes_whatever_the_time_of_day_does(tmp_path: Path) -> None:
    clocks = Clocks(utc_s=0.0)  # 1970: no clock yet
    with store(tmp_path / "a.db", clocks.opener(), age_s=100.0) as found:
        found.write([draft(clock_synced=False)])
        clocks.utc_s = 1_800_000_000.0
        clocks.on(99.0)
        found.write([draft(clock_synced=False)])
        assert numbers(found) == [0, 1]
        clocks.on(2.0)
        found.write()
        assert numbers(found) == [1]
        assert found.holes() == [Hole(found.epoch, 0, 0, "expired")]
    clocks.utc_s += 1e6  # what the clock says of the time between is worth nothing: it was not synchronised
    with store(tmp_path / "a.db", clocks.opener(2), age_s=100.0) as found:
        assert numbers(found) == [1]
        found.write([draft(clock_synced=True)])
    clocks.utc_s += 99.0
    with store(tmp_path / "a.db", clocks.opener(3), age_s=100.0) as found:
        assert numbers(found) == [2]
        clocks.utc_s -= 1e6
        found.write()
        assert numbers(found) == [2], "a clock that goes back makes nothing younger or older"


def test_ages_go_on_over_a_restart_on_this_process_s_clock(tmp_path: Path) -> None:
    clocks = Clocks()
    with store(tmp_path / "a.db", clocks.opener()) as found:
        found.write([draft()])
    clocks.utc_s += 50.0
    clocks.now_s = 3.0  # another boot
    with store(tmp_path / "a.db", clocks.opener(2)) as found:
        (row,) = found.rows()
        assert clocks.now_s - row.committed_s == pytest.approx(50.0)
        assert row.process == 1


def test_open_sounds_are_those_that_started_and_did_not_end(tmp_path: Path) -> None:
    rain, dog = draft(class_="rain"), draft()
    with store(tmp_path / "a.db") as found:
        found.write([rain, dog, rain.model_copy(update={"type": "update", "score_max": 0.99})])
        assert [event.score_max for event, _ in found.open_sounds()] == [0.99, dog.score_max]
        found.write([dog.model_copy(update={"type": "end"})])
    with store(tmp_path / "a.db") as found:
        assert [(event.class_, rate_hz) for event, rate_hz in found.open_sounds()] == [("rain", 16_000)]


def carried_row(seq: int, position: int) -> Row:
    event = draft(epoch="abcdef01", seq=seq)
    return Row(position, "abcdef01", seq, 0.0, 1, event.to_json())


def test_what_is_carried_in_keeps_its_numbers_and_the_store_begins_an_epoch(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        found.write([draft() for _ in range(3)])
        before, top = found.epoch, found.next_position
        carried = Carried(
            rows=[carried_row(seq, top + 100 + seq) for seq in range(4)],
            holes=[Hole("abcdef01", 10, 12, "outbox_full")],
            replaces="abcdef01",
            unconfirmed=(before, 2),
        )
        assert found.write([draft()], carried=carried).events[0].seq == 0
        first = found.epoch
        again = found.write(carried=carried)  # an attempt that was not heard of is repeated
        assert again.events == ()
        assert len({before, first, found.epoch}) == 3
        assert [(row.epoch, row.seq) for row in found.rows()] == [
            (before, 0),
            (before, 1),
            *(("abcdef01", seq) for seq in range(4)),
            (first, 0),
        ]
        assert found.holes() == [Hole("abcdef01", 10, 12, "outbox_full")]
        assert found.depth == 7


def test_one_carried_in_twice_is_there_once(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as found:
        row = carried_row(0, found.next_position)
        found.write(carried=Carried(rows=[row]))
        found.write(carried=Carried(rows=[row]))
        assert numbers(found) == [0]
