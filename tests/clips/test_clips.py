"""Clips behind the daemon's own stages: the samples that they claim to be, of whom they are allowed to be."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.clips import clips as module
from aed_daemon.clips.clips import Clips, make_clips, reach_frames
from aed_daemon.companion_kinds import KINDS
from aed_daemon.companions import Companions, Surroundings
from aed_daemon.config import Config
from aed_daemon.errors import AedError, ConfigError
from tests.clips.rooms import CLASSIFIER, NOW_S, RATE_HZ, config, read, room, scape
from tests.clips.test_picture import decode
from tests.sounds import quiet, to_s16

SOUND = scape(1, 24.0)


def test_every_clip_is_the_source_sample_for_sample_with_the_onset_where_the_event_says(
    tmp_path: Path,
) -> None:
    with room(tmp_path, pre_s=2.0, post_s=1.0) as at:
        events = at.hear(SOUND)
    ends = at.ended()
    assert len(ends) >= 6
    assert {event.id for event in events} == {event.id for event in ends}
    for event in ends:
        clip = read(at.path(event))
        assert np.array_equal(clip.pcm, SOUND[clip.span])
        assert event.end_sample is not None
        first = max(0, event.start_sample - 2 * RATE_HZ)
        assert clip.span == slice(first, min(len(SOUND), event.end_sample + RATE_HZ))
        assert clip.facts["onset_s"] == (event.start_sample - first) / RATE_HZ
        assert clip.facts["offset_s"] == (event.end_sample - first) / RATE_HZ
        assert clip.facts == clip.comment
        told = {key: clip.facts[key] for key in ("id", "node", "source", "class", "start", "start_sample")}
        assert told == event.model_dump(
            by_alias=True, include={"id", "node", "source", "class_", "start", "start_sample"}
        )
        assert event.start in clip.title
        assert {other.clip for other in events if other.id == event.id} == {event.clip}
        picture = decode(at.path(event).with_suffix(".png").read_bytes())
        assert tuple(picture[0, round(clip.facts["onset_s"] * 100)]) == (255, 255, 255)
    assert at.clips.counters.written == len(ends)
    assert at.clips.find(ends[0].id) == at.path(ends[0])


def test_only_the_owner_can_read_them_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    with room(tmp_path / "new" / "clips", format="wav", spectrogram=False) as at:
        at.hear(SOUND)
    files = [path for path in at.clips.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".wav", ".json"}
    assert len(files) == 2 * len(at.ended())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [at.clips.folder, *(path for path in at.clips.folder.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    for event in at.ended():
        clip = read(at.path(event))
        assert np.array_equal(clip.pcm, SOUND[clip.span])
        assert clip.facts == clip.comment


def test_a_clip_ends_at_a_gap_and_the_next_begins_after_it(tmp_path: Path) -> None:
    lost = 4_321
    cut = 2 * RATE_HZ  # in the first dog
    with room(tmp_path, pre_s=3.0, post_s=3.0) as at:
        at.hear(SOUND[:cut], lost, SOUND[cut:])
    heard = np.concatenate([SOUND[:cut], np.zeros(lost, np.int16), SOUND[cut:]])
    before = [event for event in at.ended() if event.reason == "gap"]
    assert before
    for event in at.ended():
        clip = read(at.path(event))
        assert np.array_equal(clip.pcm, heard[clip.span])
        assert clip.span.stop <= cut or clip.span.start >= cut + lost
        if event in before:
            assert (clip.span.stop, clip.facts["cut_short"], clip.facts["reason"]) == (cut, "gap", "gap")


def test_a_long_sound_is_cut_at_the_longest_clip(tmp_path: Path) -> None:
    with room(tmp_path, pre_s=0.5, post_s=0.5, max_s=1.5) as at:
        at.hear(SOUND)
    lengths = {len(read(at.path(event)).pcm) for event in at.ended()}
    assert lengths == {round(1.5 * RATE_HZ)}
    assert {read(at.path(event)).facts["cut_short"] for event in at.ended()} == {"max_s"}


def test_a_source_that_ends_in_the_post_roll_gives_what_there_is(tmp_path: Path) -> None:
    with room(tmp_path, pre_s=1.0, post_s=30.0) as at:
        at.hear(SOUND[: 6 * RATE_HZ])
    for event in at.ended():
        clip = read(at.path(event))
        assert (clip.span.stop, clip.facts["cut_short"]) == (6 * RATE_HZ, "source_ended")


def test_a_source_that_is_opened_again_counts_from_nought(tmp_path: Path) -> None:
    with room(tmp_path, pre_s=3.0) as at:
        at.hear(SOUND[: 4 * RATE_HZ])
        again = at.hear(SOUND)
    for event in again:
        clip = read(at.path(event))
        assert np.array_equal(clip.pcm, SOUND[clip.span])


def test_only_the_classes_that_are_named_are_recorded(tmp_path: Path) -> None:
    with room(tmp_path, classes=["dog"]) as at:
        at.hear(SOUND)
    assert {event.class_ for event in at.ended()} > {"dog"}
    assert {event.class_ for event in at.ended() if event.clip} == {"dog"}
    assert all((event.clip is None) == (event.class_ != "dog") for event in at.events)


def test_nothing_is_kept_in_which_a_vetoed_class_is_heard(tmp_path: Path) -> None:
    with room(tmp_path, never_classes=["rain"], pre_s=5.0, post_s=5.0) as at:
        at.hear(SOUND)
    (rain,) = at.ended("rain")
    assert rain.end_sample is not None
    kept = [event for event in at.ended() if at.clips.find(event.id)]
    ids = {event.id for event in kept}
    together = [
        event for event in at.ended("loud_sound") if abs(event.start_sample - rain.start_sample) < RATE_HZ
    ]
    assert together
    assert not ids & {rain.id, *(event.id for event in together)}
    assert together[0].clip is None, "its end says so"
    assert len(kept) >= 3
    for event in kept:
        span = read(at.path(event)).span
        assert span.stop <= rain.start_sample or span.start >= rain.end_sample
    assert at.clips.counters.vetoed == len(together)
    assert not list(tmp_path.rglob("*.partial"))


def test_quiet_hours_are_not_even_in_the_pre_roll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        clock = {"s": 1_795_410_000.0}  # 2026-11-23, 06:00 in Berlin
        with room(tmp_path, clock=lambda: clock["s"], quiet_hours="22:00-06:00", pre_s=8.0) as at:
            clock["s"] -= 60
            until = 4 * RATE_HZ
            at.hear(SOUND[:until], lambda: clock.update(s=1_795_410_000.0), SOUND[until:])
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    during = [event for event in at.ended() if event.start_sample < until]
    assert during
    assert {event.clip for event in during} == {None}
    after = [event for event in at.ended() if event.start_sample > until]
    assert min(read(at.path(event)).span.start for event in after) == until


def test_what_was_being_recorded_when_quiet_hours_begin_ends_there(tmp_path: Path) -> None:
    noon = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))
    clock = {"s": noon - 5}
    cut = 2 * RATE_HZ
    with room(tmp_path, clock=lambda: clock["s"], quiet_hours="12:00-13:00") as at:
        at.hear(SOUND[:cut], lambda: clock.update(s=noon), SOUND[cut:])
    first = at.ended("dog")[0]
    clip = read(at.path(first))
    assert (clip.span.stop, clip.facts["cut_short"]) == (cut, "quiet_hours")
    assert {event.clip for event in at.ended() if event.start_sample > cut} == {None}


def test_what_is_asked_for_is_recorded_with_what_was_before(tmp_path: Path) -> None:
    noise = to_s16(quiet(20.0))
    asked: list[Any] = []
    with room(tmp_path, on_request=True, pre_s=2.0) as at:
        at.hear(
            noise[: 8 * RATE_HZ], lambda: asked.append(at.clips.capture("porch", 4.0)), noise[8 * RATE_HZ :]
        )
    clip = read(at.clips.find(asked[0].id) or Path())
    assert clip.facts["class"] == "capture"
    assert np.array_equal(clip.pcm, noise[clip.span])
    assert clip.facts["onset_s"] == 2.0
    assert len(clip.pcm) == 9 * RATE_HZ, "2 s, 4 s and the post-roll of 3 s"


def test_what_must_not_be_recorded_cannot_be_asked_for(tmp_path: Path) -> None:
    with room(tmp_path / "a") as at, pytest.raises(AedError, match="on_request is off"):
        at.clips.capture("porch", 1.0)
    with room(tmp_path / "b", on_request=True) as at, pytest.raises(AedError, match="nothing is heard"):
        at.clips.capture("porch", 1.0)
    hours = time.strftime("%H:%M-23:59", time.localtime(NOW_S - 60))
    with (
        room(tmp_path / "c", on_request=True, quiet_hours=hours) as at,
        pytest.raises(AedError, match="quiet hours"),
    ):
        at.clips.capture("porch", 1.0)
    refused: list[str] = []

    def ask() -> None:
        with pytest.raises(AedError) as error:
            at.clips.capture("porch", 1.0)
        refused.append(str(error.value))

    with room(tmp_path / "d", on_request=True, never_classes=["dog"]) as at:
        at.hear(SOUND[: 2 * RATE_HZ], ask)
    assert "must not be recorded" in refused[0]


def test_a_sound_that_goes_on_when_it_is_closed_leaves_nothing(tmp_path: Path) -> None:
    """As on a reload of [clips]: the end of such an id says that there is no clip."""
    made = config()
    first = Clips(tmp_path, made, CLASSIFIER.manifest)
    second = Clips(tmp_path, made, CLASSIFIER.manifest)
    companions = Companions([first])
    with room(tmp_path, pre_s=1.0) as at:
        at.clips = companions  # type: ignore[assignment] # an observer as well

        def swap() -> None:
            second.start()
            companions._present = (second,)
            first.close(10.0)

        at.hear(SOUND[: 2 * RATE_HZ], swap, SOUND[2 * RATE_HZ :])
    second.close(10.0)
    (start, *_, end) = [event for event in at.events if event.id == at.events[0].id]
    assert (start.clip is None, end.clip) == (False, None)
    assert second.find(start.id) is None
    assert not list(tmp_path.rglob("*.partial"))
    assert second.find(at.ended()[-1].id) is not None


def surroundings(data: Config, state: Path | None) -> Surroundings:
    return Surroundings(
        data, CLASSIFIER, state, lambda: pytest.fail("not asked"), dict, lambda _: data.detection
    )


def test_it_is_made_where_the_configuration_wants_it_and_only_there(tmp_path: Path) -> None:
    companions = Companions(kinds=KINDS)
    off = Config.model_validate({"source": [{"type": "demo", "name": "porch"}]})
    companions.adopt(companions.plan(lambda _: surroundings(off, tmp_path)))
    assert companions.of(Clips) is None
    assert not list(tmp_path.iterdir()), "nothing is touched where it is off"
    companions.adopt(companions.plan(lambda _: surroundings(config(), tmp_path)))
    made = companions.of(Clips)
    assert made is not None
    assert made.folder == tmp_path / "clips"
    assert made.problem is None
    companions.end(5.0)


def test_without_a_folder_and_in_a_build_that_never_records_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"clips\.folder"):
        make_clips(surroundings(config(), None))
    monkeypatch.setattr(module, "NEVER_RECORD", True)
    with pytest.raises(ConfigError, match="never records"):
        make_clips(surroundings(config(), tmp_path))


def test_the_tape_reaches_as_far_back_as_a_start_may(tmp_path: Path) -> None:
    """Also where a sound must have lasted, and have been confirmed, before it starts."""
    slow = {"defaults": {"mode": "confirm", "confirm_s": 1.0, "min_duration_s": 1.5, "smoothing_s": 0.5}}
    with room(tmp_path, pre_s=1.0) as at:
        at.config = Config.model_validate(
            {**config(pre_s=1.0).model_dump(exclude={"detection"}), "detection": slow}
        )
        fresh = Clips(tmp_path, at.config, CLASSIFIER.manifest)
        fresh.start()
        at.clips.close(5.0)
        at.clips = fresh
        lead = to_s16(quiet(10.0))
        at.hear(np.concatenate([lead, SOUND]))
        fresh.close(10.0)
    late = [event.latency_ms for event in at.events if event.type == "start"]
    assert max(late) > 1_500
    assert reach_frames(at.config.detection, CLASSIFIER.manifest) > 400
    for event in at.ended():
        assert read(at.path(event)).facts["onset_s"] == 1.0
