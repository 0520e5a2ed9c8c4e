"""Reading and labelling: what is asked for, newest first, page by page, while it is written."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aed_daemon.history.archive import Archive
from aed_daemon.history.errors import HistoryError
from aed_daemon.history.ledger import Batch
from aed_daemon.history.rows import Query, packed, unpacked
from tests.history.parts import START_TS, end_of, event, hour, ledger, near_miss, written


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    classes = ("dog", "rain", "rooster")
    events = [event(10.0 * n, class_=classes[n % 3], score_max=0.5 + n / 100) for n in range(30)]
    events += [end_of(start) for start in events[:20]]
    loud = event(500.0, class_="loud_sound", source="yard", score=None, score_max=None, score_mean=None)
    return Archive(written(tmp_path / "history.db", events=[*events, loud], near_misses=[near_miss(5.0)]))


def at(archive: Archive, **query: Any) -> list[int]:
    """Return the onsets of what is found, in whole seconds after the first."""
    return [round(sound.start_ts - START_TS) for sound in archive.sounds(Query(**query)).sounds]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": 3}, [500, 290, 280]),
        ({"since_ts": START_TS + 270.0}, [500, 290, 280, 270]),
        ({"until_ts": START_TS + 20.0}, [10, 0]),
        ({"since_ts": START_TS + 10.0, "until_ts": START_TS + 30.0}, [20, 10]),
        ({"classes": ("rain", "rooster"), "until_ts": START_TS + 60.0}, [50, 40, 20, 10]),
        ({"sources": ("yard",)}, [500]),
        ({"min_score": 0.77}, [290, 280, 270]),
        ({"kinds": ("near_miss",)}, [5]),
        ({"kinds": ("event", "near_miss"), "until_ts": START_TS + 6.0}, [5, 0]),
        ({"labels": ("right", "wrong")}, []),
        ({"sources": ("nowhere'; DROP TABLE sound; --",)}, []),
    ],
)
def test_what_is_asked_for_is_found(archive: Archive, query: dict[str, Any], expected: list[int]) -> None:
    assert at(archive, **query) == expected


def test_no_limits_find_everything(archive: Archive) -> None:
    assert sorted(at(archive, kinds=())) == [0, 5, *range(10, 300, 10), 500]


def test_pages_follow_each_other_whatever_is_heard_meanwhile(archive: Archive) -> None:
    seen, query = [], Query(limit=4)
    while True:
        page = archive.sounds(query)
        seen += [sound.id for sound in page.sounds]
        with ledger(archive.path) as more:
            more.write(Batch(events=[event(1_000.0 + len(seen))]))
        if page.next is None:
            break
        query = Query(limit=4, cursor=page.next)
    assert len(seen) == len(set(seen)) == 31
    assert seen == sorted(seen, reverse=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.text(max_size=60))
def test_a_cursor_of_ones_own_is_refused(archive: Archive, cursor: str) -> None:
    with pytest.raises(HistoryError, match="no cursor"):
        archive.sounds(Query(cursor=cursor))


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1_001}, {"kinds": ("noise",)}, {"labels": ("maybe",)}]
)
def test_what_cannot_be_asked_is_refused(archive: Archive, query: dict[str, Any]) -> None:
    with pytest.raises(HistoryError, match="expected"):
        archive.sounds(Query(**query))


def test_labels_come_change_and_go(archive: Archive) -> None:
    first, second = archive.sounds(Query(limit=2, kinds=("event",))).sounds
    archive.label(first.id, "right")
    archive.label(second.id, "right")
    archive.label(second.id, "wrong")
    assert at(archive, labels=("right",)) == [500]
    assert at(archive, labels=("wrong",)) == [290]
    assert len(archive.sounds(Query(labels=("none",))).sounds) == 29
    archive.label(second.id, None)
    assert at(archive, labels=("wrong",)) == []
    with pytest.raises(HistoryError, match="there is no such sound"):
        archive.label("01KAR3X0XM0000000000000009", "right")


def test_what_was_missed_is_a_row_that_can_be_taken_back(archive: Archive) -> None:
    sound_id = archive.missed("dog", START_TS + 77.0, source="porch")
    assert at(archive, kinds=("missed",)) == [77]
    assert at(archive, kinds=("missed",), labels=("missed",)) == [77]
    with pytest.raises(HistoryError, match="it was missed"):
        archive.label(sound_id, "right")
    archive.label(sound_id, None)
    assert at(archive, kinds=("missed",)) == []


def test_a_sound_is_found_by_the_end_of_its_id(archive: Archive) -> None:
    wanted = archive.sounds(Query(limit=1)).sounds[0]
    assert archive.find(wanted.id) == archive.find(wanted.id[-6:].lower()) == wanted
    for part, why in (("ZZZZZZ", "there is no such sound"), ("%%%%", "no id"), ("Z", "no id")):
        with pytest.raises(HistoryError, match=why):
            archive.find(part)


def test_hours_are_found_by_time_class_and_source(tmp_path: Path) -> None:
    hours = [
        hour(hour_ts=3_600 * n, class_=class_, source=source)
        for n in range(3)
        for class_ in ("dog", "rain")
        for source in ("porch", "yard")
    ]
    archive = Archive(written(tmp_path / "history.db", hours=hours))
    assert len(archive.hours()) == 12
    assert {found.hour_ts for found in archive.hours(since_ts=4_000.0)} == {3_600, 7_200}
    assert {found.hour_ts for found in archive.hours(until_ts=7_200.0)} == {0, 3_600}
    (only,) = archive.hours(7_200.0, 8_000.0, ["rain"], ["yard"])
    assert (only.class_, only.source, only.hour_ts) == ("rain", "yard", 7_200)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=256, max_size=256))
def test_counts_are_stored_as_they_are(values: list[int]) -> None:
    counts = np.asarray(values, np.uint32)
    assert (unpacked(packed(counts)) == counts).all()


@pytest.mark.parametrize("blob", [b"", b"nothing", packed(np.zeros(255, np.uint32))])
def test_counts_that_are_none_are_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="counts"):
        unpacked(blob)


def test_it_is_read_and_labelled_while_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path / "history.db", events=[event()])
    archive, stop, problems = Archive(path), threading.Event(), []
    (first,) = archive.sounds(Query()).sounds

    def read() -> None:
        try:
            archive.label(first.id, "right")
            while not stop.is_set():
                assert archive.sounds(Query(limit=1_000)).sounds[-1].id == first.id
            archive.label(first.id, "wrong")
        except BaseException as error:  # told in the test's own thread
            problems.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with ledger(path) as found:
        for n in range(30):
            found.write(Batch(events=[event(float(n + 1))]))
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(archive.sounds(Query(limit=1_000)).sounds) == 31
