"""A daemon's history is what it has heard: event by event, and hour by hour at every threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.companions import Companion
from aed_daemon.config import Config
from aed_daemon.events import Event
from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import Hour, Query, Sound
from aed_daemon.supervisor import Daemon
from tests.sounds import soundscape, write_wav

SECONDS = 90.0


class Listener(Companion):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)


def heard(folder: Path, wav: Path, **detection: object) -> tuple[list[Event], Archive]:
    """Run a daemon over a recording, faster than it sounds."""
    source = {"type": "file", "name": "porch", "path": wav, "realtime": False}
    model = {"engine": "tflite"}
    config = Config.model_validate({"source": [source], "model": model, "detection": detection})
    listener = Listener()
    Daemon(config, companions=[listener], state=folder).run()
    return listener.events, Archive(folder / "history.db")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("sound") / "scene.wav", soundscape(1, SECONDS))


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> tuple[list[Event], Archive]:
    return heard(tmp_path_factory.mktemp("evening"), recording)


def everything(archive: Archive, *kinds: str) -> list[Sound]:
    return list(archive.every(Query(kinds=kinds, limit=7)))


def test_every_sound_is_one_row_with_its_last_figures(evening: tuple[list[Event], Archive]) -> None:
    events, archive = evening
    ends = {event.id: event for event in events if event.type == "end"}
    found = everything(archive, "event")
    assert len(ends) > 5
    assert {sound.id for sound in found} == ends.keys()
    assert [sound.id for sound in found] == sorted(ends, reverse=True)
    for sound in found:
        end = ends[sound.id]
        assert (sound.class_, sound.source, sound.seq) == (end.class_, end.source, end.seq)
        assert (sound.start_ts, sound.duration_s, sound.score_max) == (
            end.start_ts, end.duration_s, end.score_max
        )  # fmt: skip
        assert (sound.rms_dbfs, sound.model_sha256, sound.engine) == (
            end.level.rms_dbfs, end.model.sha256, "tflite"
        )  # fmt: skip
        assert sound.as_json()["end"] == end.end


def test_a_sound_has_the_threshold_that_it_would_have_reached(evening: tuple[list[Event], Archive]) -> None:
    _, archive = evening
    scored = [sound for sound in everything(archive, "event") if sound.class_ != "loud_sound"]
    assert scored
    for sound in scored:
        assert sound.strength is not None
        assert sound.score_max is not None
        assert 0.45 <= sound.strength <= sound.score_max + 0.004


def above(hours: list[Hour], class_: str, steps: int) -> int:
    return int(sum(hour.strengths[steps:].sum() for hour in hours if hour.class_ == class_))


def test_the_hours_know_how_many_events_another_threshold_would_have_started(
    tmp_path: Path, recording: Path, evening: tuple[list[Event], Archive]
) -> None:
    _, archive = evening
    hours = archive.hours()
    totals = set()
    for threshold in (0.35, 0.7, 0.95):
        events, _ = heard(tmp_path / str(threshold), recording, defaults={"threshold_on": threshold})
        steps = int(np.ceil(threshold * 256))
        for class_ in {hour.class_ for hour in hours}:
            starts = sum(event.type == "start" and event.class_ == class_ for event in events)
            assert above(hours, class_, steps) == starts, (class_, threshold)
        totals.add(sum(event.type == "start" and event.score is not None for event in events))
    assert len(totals) == 3, "the thresholds differ in what they start"


def test_the_hours_hold_every_hop_and_what_was_listened_to(evening: tuple[list[Event], Archive]) -> None:
    _, archive = evening
    of_dog = [hour for hour in archive.hours() if hour.class_ == "dog"]
    hops = sum(hour.hops for hour in of_dog)
    assert hops == sum(int(hour.scores.sum()) for hour in of_dog) > SECONDS / 0.24 - 6
    assert sum(hour.heard_s for hour in of_dog) == pytest.approx(SECONDS, abs=0.24)
    assert of_dog[0].on_steps == 128
    assert json.loads(of_dog[0].rule)["off_steps"] == 77


def test_near_misses_are_rows_too(evening: tuple[list[Event], Archive]) -> None:
    _, archive = evening
    near, hours = everything(archive, "near_miss"), archive.hours()
    assert len(near) == sum(int(hour.strengths[: hour.on_steps].sum()) for hour in hours), (
        "every excursion without an event"
    )
    assert near
    for sound in near:
        assert sound.strength is not None
        assert sound.strength < 0.5
        assert sound.score_max is not None
        assert sound.score_max >= 0.27
        assert 0 <= (sound.start_sample or 0) < SECONDS * 16_000


def test_without_a_place_nothing_is_kept(tmp_path: Path, recording: Path) -> None:
    source = {"type": "file", "name": "porch", "path": recording, "realtime": False}
    before = set(tmp_path.rglob("*"))
    Daemon(Config.model_validate({"source": [source], "history": {"enabled": False}}), state=tmp_path).run()
    assert set(tmp_path.rglob("*")) == before
