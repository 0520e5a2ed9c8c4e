"""The verdict of the chaos test on recordings with one fault each: it must see every one of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aed_daemon.events import Event
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits
from benchmarks.chaos_ledger import Ledger
from benchmarks.chaos_plan import HABITS, plan
from benchmarks.chaos_verdict import Verdict, judge
from benchmarks.mqtt_packets import Publish
from benchmarks.mqtt_recorder import Passed
from benchmarks.outbox_work import made_up

EPOCH, OTHER = "0000aaaa", "0000bbbb"
KINDS = ("start", "end")


def said(seq: int, epoch: str = EPOCH, source: str = "porch", replayed: bool = False) -> Event:
    """Return one of the events of a run: sounds of two events each, all of one source."""
    event = made_up(KINDS[seq % 2], f"{seq // 2:026d}")
    return event.model_copy(update={"epoch": epoch, "seq": seq, "source": source, "replayed": replayed})


def passed(event: Event, code: int | None = 0) -> Passed:
    message = Publish(f"aed/n/{event.source}/event", event.to_json().encode(), 1, False, False, 1)
    return Passed(message, 1, code)


def hole(first: int, last: int, code: int | None = 0) -> Passed:
    payload = {"epoch": EPOCH, "first_seq": first, "last_seq": last, "reason": "outbox_full"}
    return Passed(
        Publish("aed/n/bridge/outbox_dropped", json.dumps(payload).encode(), 1, False, False, 2), 1, code
    )


def verdict(recording: list[Passed], committed: int = 6, received: set[int] | None = None) -> Verdict:
    ledger = Ledger()
    for seq in range(committed):
        ledger.add(said(seq).to_json())
    numbers = {(EPOCH, seq) for seq in (range(committed) if received is None else received)}
    return judge(recording, ledger, numbers, "n")


def whole() -> list[Passed]:
    return [passed(said(seq)) for seq in range(6)]


def faults(found: Verdict) -> dict[str, int]:
    return {name: count for name, count in found.figures.items() if count and name != "events"}


def test_a_run_without_a_fault() -> None:
    found = verdict(whole())
    assert (found.events, faults(found), found.good) == (6, {}, True)


def test_what_is_repeated_is_counted_and_is_no_fault() -> None:
    recording = [passed(said(0)), passed(said(1), code=None), passed(said(1, replayed=True)), *whole()[1:]]
    found = verdict(recording)
    assert (faults(found), found.good) == ({"repeated": 2}, True)


def test_another_node_and_other_topics_do_not_count() -> None:
    foreign = Passed(Publish("aed/m/porch/event", b"{}", 1, False, False, 1), 1, 0)
    level = Passed(Publish("aed/n/porch/level", b"{}", 0, False, False, None), 1)
    assert faults(verdict([foreign, level, *whole()])) == {}


@pytest.mark.parametrize("code", [None, 0x87])
def test_a_lost_event(code: int | None) -> None:
    recording = whole()
    recording[4] = passed(said(4), code)
    found = verdict(recording)
    assert not found.good
    assert faults(found) == {"lost": 1, "unannounced_holes": 1}
    assert found.examples["lost"] == [str((EPOCH, 4))]


def test_a_lost_end_is_open_too_and_at_the_very_end_no_subscriber_can_see_a_hole() -> None:
    assert faults(verdict(whole()[:5])) == {"lost": 1, "open_ids": 1}


def test_a_hole_that_is_announced_and_one_whose_announcement_was_not_acknowledged() -> None:
    gone = [one for seq, one in enumerate(whole()) if seq not in (2, 3)]
    assert faults(verdict([hole(2, 3), *gone])) == {"lost": 2}
    assert faults(verdict([hole(2, 3, code=None), *gone])) == {"lost": 2, "unannounced_holes": 2}


def test_a_sound_without_an_end() -> None:
    started = said(6).model_copy(update={"type": "start"})
    ledger = Ledger()
    for seq in range(7):
        ledger.add(said(seq).to_json())
    found = judge([*whole(), passed(started)], ledger, {(EPOCH, seq) for seq in range(7)}, "n")
    assert (faults(found), found.good) == ({"open_ids": 1}, False)


def test_an_event_that_comes_after_a_later_one() -> None:
    recording = whole()
    recording[2], recording[3] = recording[3], recording[2]
    assert faults(verdict(recording)) == {"out_of_order": 1}


def test_an_event_whose_only_acknowledged_delivery_comes_after_a_later_one() -> None:
    recording = [*whole()[:2], passed(said(2), code=None), passed(said(3)), passed(said(2)), *whole()[4:]]
    assert faults(verdict(recording)) == {"out_of_order": 1, "repeated": 1}


def test_an_epoch_that_goes_on_after_the_next_one_has_begun() -> None:
    ledger = Ledger()
    events = [*(said(seq) for seq in range(3)), said(0, OTHER), said(3)]
    for event in events:
        ledger.add(event.to_json())
    found = judge([passed(event) for event in events], ledger, set(ledger.contents), "n")
    assert found.out_of_order == 1


def test_order_is_kept_within_a_source_not_between_two() -> None:
    ledger = Ledger()
    events = [said(0), said(1), said(3, source="yard"), said(2, source="porch")]
    for event in events:
        ledger.add(event.to_json())
    assert faults(judge([passed(event) for event in events], ledger, set(ledger.contents), "n")) == {}


def test_a_repetition_that_says_something_else() -> None:
    other = said(1).model_copy(update={"latency_ms": 1})
    assert faults(verdict([*whole()[:2], passed(other), *whole()[2:]])) == {"repeated": 1, "changed": 1}
    recording = whole()
    recording[1] = passed(other)
    assert faults(verdict(recording)) == {"changed": 1}, "than was committed"


def test_an_event_that_was_sent_before_it_was_committed() -> None:
    assert faults(verdict(whole(), committed=4, received=set(range(6)))) == {"uncommitted": 2}


def test_what_the_broker_loses_is_counted_apart() -> None:
    recording = whole()
    recording[0] = passed(said(0), code=0x10)
    found = verdict(recording, received={1, 2, 3, 4})
    assert (faults(found), found.good) == ({"nobody_subscribed": 1, "lost_by_broker": 1}, True)


def test_nothing_at_all_is_no_success() -> None:
    assert not verdict([], committed=0).good


def test_the_ledger_knows_from_the_file_what_nobody_has_printed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    store = Opener(16_000).open(path, Limits(100, 10**6, 3_600.0))
    written = store.write([made_up("start", "0" * 26), made_up("end", "0" * 26)])
    store.write([made_up("start", "1" * 26)], {written.rows[0].position: None})
    (before,) = {file.read_bytes() for file in [path]}
    ledger = Ledger()
    ledger.read_store(path)  # its log was not written back: as after a kill
    store.close()
    assert path.read_bytes() != before
    assert ledger.committed == {(written.events[0].epoch, seq) for seq in range(3)}
    assert (ledger.waiting, len(ledger.contents), ledger.dead_letters) == (2, 2, 0)
    line = written.events[1].to_json()
    ledger.read_lines([line, line[: len(line) // 2]])
    assert ledger.changed == set()
    ledger.read_lines([line.replace('"label":"', '"label":"not ')])
    assert len(ledger.changed) == 1


def test_the_ledger_takes_a_printed_event_whose_file_is_gone(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.read_store(tmp_path / "nothing.db")
    ledger.read_lines([said(3).to_json()])
    assert (len(ledger.committed), ledger.reads) == (4, 0)


def test_the_plan_is_the_seeds_and_mends_everything() -> None:
    assert plan(5, 600.0) == plan(5, 600.0) != plan(6, 600.0)
    steps = plan(5, 600.0)
    assert steps == sorted(steps)
    for habit in HABITS:
        own = [step.what for step in steps if step.part == habit.part]
        assert set(own) == set(habit.breaks) | set(habit.mends)
        if habit.mends:
            assert set(own[::2]) <= set(habit.breaks)
            assert set(own[1::2]) <= set(habit.mends)
            assert len(own) % 2 == 0
