from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.inference import load_classifier
from aed_daemon.level import LevelFrames
from model_tools.export.rules_c import tracker_rules
from tests.golden.tracker.make import CASES
from tests.golden.tracker.make import FOLDER as GOLDEN
from tests.model_tools.export.tracker_cases import (
    NEAR_THE_WRAP,
    QUIET,
    RULES,
    Runs,
    bursts,
    events_of,
    golden,
    hops_of,
    levels_of,
    runs_of_levels,
    scripted,
    sounds,
)
from tests.model_tools.export.tracker_script import Script, TrackerLibrary, play, read


@pytest.mark.parametrize("frame", [0, NEAR_THE_WRAP])
@pytest.mark.parametrize("name", CASES)
def test_the_golden_cases(tracker_library: TrackerLibrary, name: str, frame: int) -> None:
    script = golden(name, frame)
    found = read(play(tracker_library(RULES[name]), script.code), RULES[name])
    assert found == script.expected
    stored = [
        (*list(event.values())[:9], tuple(event["sound"].values()), event["reason"])
        for event in json.loads((GOLDEN / name / "events.json").read_text())
    ]
    moved = [
        (*row[:4], (row[4] - frame) % 2**32, None if row[5] is None else (row[5] - frame) % 2**32, *row[6:])
        for row in events_of(found)
    ]
    assert moved == stored
    assert len(stored) > 10


@pytest.mark.parametrize("name", RULES)
@settings(deadline=None, max_examples=150)
@given(data=st.data(), frame=st.sampled_from([0, 2**31 - 60, 2**32 - 400]), runs=runs_of_levels)
def test_any_levels_and_scores_give_the_daemons_events(
    tracker_library: TrackerLibrary, name: str, data: st.DataObject, frame: int, runs: Runs
) -> None:
    rules = RULES[name]
    script = scripted(rules, frame, runs, data.draw(hops_of(rules)))
    assert read(play(tracker_library(rules), script.code), rules) == script.expected


@settings(deadline=None, max_examples=300)
@given(
    frame=st.sampled_from([0, 2**31 - 60, 2**32 - 400]),
    runs=runs_of_levels,
    repeated=st.integers(1, 3),
    windows=st.lists(
        st.tuples(st.integers(1, 200), st.integers(0, 20), st.integers(0, 320)), min_size=1, max_size=9
    ),
)
def test_any_history_says_what_the_daemons_says(
    tracker_library: TrackerLibrary,
    frame: int,
    runs: Runs,
    repeated: int,
    windows: list[tuple[int, int, int]],
) -> None:
    rules = RULES["instant"]
    script = Script(rules, frame)
    for frames, level, clipped in runs * repeated:
        rms = np.full(frames, level, np.int32)
        script.levels(LevelFrames(rms, rms + 5, np.full(frames, clipped)))
    heard = sum(frames for frames, _, _ in runs) * repeated
    for length, last, earliest in windows:
        if last < heard:
            first = min(last + length, heard)
            script.ask(first, last, min(max(earliest, last + 1), heard))
    assert read(play(tracker_library(rules), script.code), rules) == script.expected


@pytest.mark.parametrize("name", RULES)
def test_sounds_that_come_and_go(tracker_library: TrackerLibrary, name: str) -> None:
    script = bursts(RULES[name], 1)
    found = read(play(tracker_library(RULES[name]), script.code), RULES[name])
    assert found == script.expected
    assert {row[0] for row in found} == {"start", "update", "end", "gate", "lost"}
    assert len(events_of(found)) >= 30


@pytest.mark.parametrize("name", RULES)
def test_years_of_silence_between_two_sounds(tracker_library: TrackerLibrary, name: str) -> None:
    script = Script(RULES[name], 2**32 - 10_000)

    def hops(count: int, level: int, score: int) -> None:
        for _ in range(count):
            rms = np.full(script.needed, level, np.int32)
            script.levels(LevelFrames(rms, rms, rms > 0))
            script.hop([score] * len(RULES[name].slugs))

    for _ in range(7):
        hops(15, -6_000, -128)
        hops(15, -2_000, 127)
        for _ in range(3):
            hops(20, -6_000, -128)
            script.jump(2**30)
    script.lost(0)
    found = read(play(tracker_library(RULES[name]), script.code), RULES[name])
    assert found == script.expected
    starts = {slug: sum(row[:2] == ("start", slug) for row in found) for slug in RULES[name].slugs}
    assert set(starts.values()) == {7}


def test_a_sound_that_lasts_for_years_is_still_heard(tracker_library: TrackerLibrary) -> None:
    rules = RULES["confirm_and_smooth"]
    script = Script(rules)
    for strongest in (80, 80, 80, 90, 90, 90, 100):
        for _ in range(80):
            rms = np.full(script.needed, -2_000, np.int32)
            script.levels(LevelFrames(rms, rms, rms > 0))
            script.hop([strongest, strongest])
        script.jump(2**30)
    script.finish("shutdown")
    script.lost(0)
    found = read(play(tracker_library(rules), script.code), rules)
    assert found == script.expected
    assert {row[7] for row in found if row[:2] == ("update", "class_0")} >= {90 + 128, 100 + 128}


LOUD_CDB = QUIET + 4_000
SWELL = [(10, -3_500), (50, LOUD_CDB)]
"""Before the floor is known, behind up to 20 frames."""
SETTLED = (120, QUIET)


@pytest.mark.parametrize(
    ("levels", "onset"),
    [
        pytest.param([(130, QUIET), (20, LOUD_CDB), (10, QUIET), (100, LOUD_CDB)], 130, id="a short pause"),
        pytest.param([(130, QUIET), (20, LOUD_CDB), (11, QUIET), (99, LOUD_CDB)], 161, id="a long pause"),
        pytest.param([(240, QUIET), (9, QUIET + 599), (20, LOUD_CDB)], 249, id="under 6 dB over the floor"),
        pytest.param([(240, QUIET), (9, QUIET + 2_000), (20, LOUD_CDB)], 240, id="within 20 dB"),
        pytest.param([(240, QUIET), (9, QUIET + 1_999), (20, LOUD_CDB)], 249, id="not within 20 dB"),
        pytest.param([(20, -3_000), *SWELL], 30, id="20 frames of background are enough"),
        pytest.param([(19, -3_000), *SWELL], 0, id="19 are not"),
        pytest.param([(10, -3_000), (10, -5_000), *SWELL], 0, id="the lower of two medians"),
        pytest.param([(11, -3_000), (9, -5_000), *SWELL], 30, id="the upper half"),
        pytest.param(
            [SETTLED, (130, -2_600), (10, -2_500), (87, LOUD_CDB)], 260, id="6 dB over the background"
        ),
        pytest.param([SETTLED, (130, -2_599), (10, -2_500), (87, LOUD_CDB)], 120, id="less than that"),
    ],
)
def test_onsets(tracker_library: TrackerLibrary, levels: list[tuple[int, int]], onset: int) -> None:
    rules = RULES["instant"]
    script = Script(rules)
    rms = np.concatenate([np.full(frames, level, np.int32) for frames, level in levels])
    script.levels(LevelFrames(rms, rms, rms > 0))
    script.ask(min(97, sum(frames for frames, _ in levels[-2:])), 0, min(len(rms), 260))
    found = read(play(tracker_library(rules), script.code), rules)
    assert found == script.expected
    assert found[-1][1] == onset


def test_what_was_heard_before_a_finish_confirms_nothing(tracker_library: TrackerLibrary) -> None:
    rules = RULES["nervous"]
    script = Script(rules)
    for hop in range(4):
        rms = np.full(script.needed, LOUD_CDB, np.int32)
        script.levels(LevelFrames(rms, rms, rms > 0))
        script.hop([-128, -128, 127])
        if hop == 1:
            script.finish("listening_off")
    found = read(play(tracker_library(rules), script.code), rules)
    assert found == script.expected
    assert [row for row in found if row[1] == "class_2"] == []


def test_a_mean_below_zero_is_rounded_down(tracker_library: TrackerLibrary) -> None:
    rules = RULES["nervous"]
    script = Script(rules)
    for steps in (31, -108):
        rms = np.full(script.needed, -2_000, np.int32)
        script.levels(LevelFrames(rms, rms, rms > 0))
        script.hop([rules.zero_point, rules.zero_point + steps, rules.zero_point])
    found = read(play(tracker_library(rules), script.code), rules)
    assert found == script.expected
    assert [row[6] for row in events_of(found)] == [31, (-77 * 5 // 2) / 5]


def test_a_hop_that_comes_again_after_a_finish(tracker_library: TrackerLibrary) -> None:
    rules = RULES["instant"]
    script = Script(rules)
    for _ in range(2):
        rms = np.full(script.needed, -2_000, np.int32)
        script.levels(LevelFrames(rms, rms, rms > 0))
        script.hop([127, 127])
        script.finish("listening_off")
        script.again()
    assert read(play(tracker_library(rules), script.code), rules) == script.expected


def test_a_queue_that_nobody_polls_counts_what_it_loses(tracker_library: TrackerLibrary) -> None:
    rules = RULES["nervous"]
    polled, unpolled = Script(rules), Script(rules, poll=False)
    for script in (polled, unpolled):
        rng = np.random.default_rng(2)
        for _ in range(60):
            rms = rng.integers(-9_000, 0, script.needed).astype(np.int32)
            script.levels(LevelFrames(rms, rms, rms > -1))
            script.hop(rng.integers(-128, 127, 3).tolist())
    everything = events_of(read(play(tracker_library(rules), polled.code), rules))
    assert everything == events_of(polled.expected)
    assert len(everything) > rules.queue_events
    unpolled.poll()
    unpolled.lost(len(everything) - rules.queue_events)
    *kept, lost = [
        row for row in read(play(tracker_library(rules), unpolled.code), rules) if row[0] != "gate"
    ]
    assert kept == everything[: rules.queue_events]
    assert lost == unpolled.expected[-1]


def test_the_queue_holds_what_a_restless_hop_brings(tracker_library: TrackerLibrary) -> None:
    rules = RULES["nervous"]
    script = Script(rules)
    quiet = np.full(script.needed + 5, -9_000, np.int32)
    script.levels(LevelFrames(quiet, quiet, quiet > 0))
    for hop in range(50):
        rms = np.where(np.arange(script.needed) % 4, -9_000, -1_000).astype(np.int32)
        script.levels(LevelFrames(rms, rms, rms > 0))
        # The first class ends while the others start.
        script.hop([127, -128, -128] if hop % 4 < 2 else [-128, 127, 127])
    script.lost(0)
    found = read(play(tracker_library(rules), script.code), rules)
    assert found == script.expected
    loud = [row for row in found if row[1] == "loud_sound"]
    assert len(loud) >= 48 * 2 * (rules.hop_frames // 4)


def test_pcm_and_the_networks_scores_give_the_detectors_events(tracker_library: TrackerLibrary) -> None:
    classifier = load_classifier()
    said = {
        "threshold_on": 0.05,
        "threshold_off": 0.02,
        "mode": "instant",
        "end_after_s": 0.3,
        "cooldown_s": 0.5,
    }
    config = DetectionConfig.model_validate({"defaults": said})
    rules = tracker_rules(config, classifier.manifest)
    samples = sounds(30)
    detector = Detector(classifier, config)
    decisions = detector.push(samples.astype(np.float32) / np.float32(32_768))
    script, taken = Script(rules), 0
    for decision in decisions:
        piece = samples[taken : decision.end_sample // 160 * 160]
        script.pcm(piece, levels_of(piece))
        script.hop(None if decision.gated else decision.scores.tolist())
        taken += len(piece)
    rest = samples[taken : len(samples) // 160 * 160]
    script.pcm(rest, levels_of(rest))
    script.finish("shutdown")
    found = read(play(tracker_library(rules), script.code), rules)
    events = [event for decision in decisions for event in decision.events] + detector.finish("shutdown")
    assert events_of(found) == [tuple(event) for event in events]
    assert [not row[1] for row in found if row[0] == "gate"] == [decision.gated for decision in decisions]
    assert {event.type for event in events} == {"start", "end"}
    assert {decision.gated for decision in decisions} == {False, True}
