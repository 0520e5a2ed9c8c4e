from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from aed_daemon.reporting import EventReporter, top_classes
from aed_daemon.tracker import Sound, TrackEvent

CLASSIFIER = load_classifier()
SOUND = Sound(rms_cdb=-2_310, peak_cdb=-980, floor_cdb=-5_800, clipped=False)
START = TrackEvent("start", "dog", "Dog", 0, 100, None, 238.0, 250.0, 200.5, SOUND, None)
END = START._replace(type="end", end_frame=250, reason="gap")


class Clock:
    """A wall clock that the test sets, and a sample clock that may drift."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.drift_s = 0.0

    def reporter(self) -> EventReporter:
        return EventReporter(
            "hall", "porch", CLASSIFIER, 24,
            lambda index: 900.0 + self.drift_s + index / 16_000,
            clock=lambda: self.now_s, clock_synced=lambda: True,
        )  # fmt: skip


def report(reporter: EventReporter, event: TrackEvent, gap_before: bool = False) -> Event:
    scores = np.full(len(CLASSIFIER.manifest.labels), -128, np.int8)
    scores[0] = 110
    return reporter.report(event, 32_000, 64_000, scores, gap_before=gap_before)


def test_a_start_says_when_where_and_how_loud() -> None:
    clock = Clock()
    event = report(clock.reporter(), START)
    assert (event.node, event.source, event.class_, event.label) == ("hall", "porch", "dog", "Dog")
    assert event.start_sample == 32_000 + 16_000
    assert event.start_ts == 903.0
    assert event.start == "1970-01-01T00:15:03.000Z"
    assert (event.published, event.latency_ms) == ("1970-01-01T00:16:40.000Z", 97_000)
    assert (event.score, event.score_max, event.score_mean) == (0.9297, 0.9766, 0.7832)
    assert event.level.model_dump() == {
        "rms_dbfs": -23.1, "peak_dbfs": -9.8, "floor_dbfs": -58.0, "snr_db": 34.9, "clipped": False
    }  # fmt: skip
    assert (event.window_s, event.hop_s) == (0.975, 0.24)
    assert event.top == [("dog", 0.9297)]
    assert (event.end, event.end_sample, event.duration_s) == (None, None, None)


def test_an_end_keeps_id_and_start_whatever_the_clock_does_meanwhile() -> None:
    clock = Clock()
    reporter = clock.reporter()
    start = report(reporter, START)
    clock.drift_s = -3_600.0
    end = report(reporter, END)
    assert (end.id, end.start, end.start_ts) == (start.id, start.start, start.start_ts)
    assert end.duration_s == 1.5
    assert end.end == "1970-01-01T00:15:04.500Z"
    assert end.reason == "gap"


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0, -30.0])
def test_a_clock_that_is_set_within_a_sound_moves_no_time_of_it_back(step_s: float) -> None:
    clock = Clock()
    reporter = clock.reporter()
    said = [report(reporter, START)]
    clock.now_s += step_s
    clock.drift_s += step_s
    said.append(report(reporter, START._replace(type="update")))
    clock.now_s += 5.0
    said.append(report(reporter, END))
    assert {event.start_ts for event in said} == {903.0}
    published = [event.published for event in said]
    assert published == sorted(published)
    assert all(event.latency_ms >= 0 for event in said)
    assert said[-1].end == "1970-01-01T00:15:04.500Z", "the start and what was heard since"
    after = report(reporter, START._replace(track=1))
    assert after.start_ts == 903.0 + step_s


def test_an_id_says_whether_the_clock_was_right_when_it_began() -> None:
    synced = [False, True]
    clock = Clock()
    reporter = EventReporter(
        "hall", "porch", CLASSIFIER, 24, lambda index: index / 16_000,
        clock=lambda: clock.now_s, clock_synced=lambda: synced.pop(0),
    )  # fmt: skip
    assert report(reporter, START).clock_synced is False
    assert report(reporter, END).clock_synced is False
    assert report(reporter, START._replace(track=1)).clock_synced is True


def test_sounds_have_ids_of_their_own() -> None:
    reporter = Clock().reporter()
    first = report(reporter, START)
    second = report(reporter, START._replace(track=1))
    assert first.id != second.id


def test_gap_before_stays_with_the_sound() -> None:
    reporter = Clock().reporter()
    assert report(reporter, START, gap_before=True).gap_before
    assert report(reporter, END, gap_before=False).gap_before


def test_a_recording_read_faster_than_it_sounds_is_published_when_it_would_have_been() -> None:
    clock = Clock()
    clock.now_s = 0.0
    assert report(clock.reporter(), START).latency_ms == 1_000


def test_the_loud_sound_has_no_score() -> None:
    loud = START._replace(slug="loud_sound", score=None, score_max=None, score_mean=None)
    event = report(Clock().reporter(), loud)
    assert event.score is event.score_max is event.score_mean is None


def test_the_best_classes_come_first_without_the_background() -> None:
    scores = np.array([-100, 20, -128, 127, -20, 20], np.int8)
    slugs = ("a", "b", "c", "background", "e", "f")
    best = top_classes(scores, slugs, 1 / 256, -128)
    assert best == [("b", 0.5781), ("f", 0.5781), ("e", 0.4219)]
    assert top_classes(np.full(6, -128, np.int8), slugs, 1 / 256, -128) == []
