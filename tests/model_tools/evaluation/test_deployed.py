from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.inference import load_classifier
from model_tools.evaluation.deployed import (
    FalseAlarms,
    clip_found,
    found_events,
    in_quiet,
    latencies_s,
    latency_figures,
    psds_rates,
    true_events,
)
from model_tools.evaluation.events import Event
from model_tools.evaluation.listening import Heard, Stream
from model_tools.evaluation.psds import PsdsParameters
from model_tools.evaluation.soundscape import Soundscape, Truth
from model_tools.evaluation.trace import Found, Trace

RATE = 16_000
MANIFEST = load_classifier().manifest
HOUR = Trace(np.full((2, 11), -28, np.int8), np.zeros(0, np.int16), 3_600 * RATE, 24)


def found(slug: str, onset_s: float, decided_s: float, offset_s: float = 0.0) -> Found:
    end = offset_s or onset_s + 1.0
    return Found(slug, int(onset_s * RATE), int(end * RATE), int(decided_s * RATE), 0.9)


def stream(kind: str, *, real: bool, filler_s: float = 0.0) -> Stream:
    return Stream(f"a {kind}", kind, real, list, filler_s, ((1.0, "first"), (101.0, "second")))


def test_latency_is_from_the_true_onset_to_the_decision_and_a_miss_is_infinite() -> None:
    truths = [Truth("dog", 10 * RATE, 11 * RATE, "a"), Truth("rain", 20 * RATE, 25 * RATE, "b")]
    events = [
        found("dog", 9.9, 10.5),
        found("dog", 10.6, 11.0),
        found("rain", 19.0, 19.9),
        found("rain", 26, 26.6),
    ]
    assert latencies_s(truths, events) == [0.5, float("inf")]
    assert latencies_s(truths, [found("rain", 25.0, 26.4), found("dog", 9.0, 9.9)]) == [
        float("inf"),
        pytest.approx(6.4),
    ]
    assert latency_figures([0.5, 0.7, float("inf")]) == {"latency_s_p50": 0.7, "latency_s_p95": None}
    assert latency_figures([0.25] * 20) == {"latency_s_p50": 0.25, "latency_s_p95": 0.25}


def test_a_clip_counts_if_its_own_class_starts() -> None:
    events = [found("rain", 1, 2), found("dog", 1, 2), found("rain", 4, 5)]
    assert clip_found("dog", "x", events) == ("dog", "x", True, ("rain",))
    assert clip_found("rooster", "x", []) == ("rooster", "x", False, ())


def test_a_clip_is_heard_in_the_quiet_of_a_microphone() -> None:
    scene = in_quiet(np.full(RATE, 0.5, np.float32), 3)
    assert len(scene) == 4 * RATE
    for part in (scene[: int(1.5 * RATE)], scene[int(2.5 * RATE) :]):
        assert 10 * np.log10(np.mean(part.astype(float) ** 2)) == pytest.approx(-75.0, abs=0.2)
    assert not np.array_equal(in_quiet(np.zeros(9, np.float32), 1), in_quiet(np.zeros(9, np.float32), 2))


def test_false_alarms_are_counted_by_what_they_were_heard_in() -> None:
    alarms = FalseAlarms()
    alarms.add(
        Heard(stream("speech", real=True, filler_s=1_800.0), HOUR, [found("dog", 102.0, 103.0)]), MANIFEST
    )
    alarms.add(Heard(stream("speech", real=False), HOUR, [found("dog", 5.0, 6.0)] * 2), MANIFEST)
    noise = [found("rain", 5.0, 6.0), found("dog", 7.0, 8.0)]
    alarms.add(Heard(stream("coloured_noise", real=False), HOUR, noise), MANIFEST)
    figures = alarms.as_dict()
    assert figures["real"]["count"] == 1
    assert figures["real"]["hours"] == 0.5
    assert figures["real"]["per_hour_upper95"] == pytest.approx(4.744 / 0.5, abs=1e-3)
    assert figures["real"]["by_kind"] == {"speech": {"hours": 0.5, "count": 1}}
    assert figures["synthetic"]["by_class"] == {"dog": 3}
    assert figures["synthetic"]["per_hour"] == 1.5
    assert figures["weather_in_broad_noise"] == {"coloured_noise: rain": 1}
    assert (alarms.on("speech"), alarms.on("coloured_noise")) == (2, 2)
    assert figures["first"][0] == "dog 0.90: second 1.0 s"


def test_the_scores_of_hops_are_counted() -> None:
    alarms = FalseAlarms()
    quiet = Trace(np.full((3, 11), -128, np.int8), np.zeros(0, np.int16), 1, 24)
    quiet.scores[1, :-1] = 127
    quiet.scores[2, -1] = 127  # the background does not count
    alarms.add(Heard(stream("music", real=True), quiet, []), MANIFEST)
    assert alarms.scores[True].sum() == 3
    assert (alarms.scores[True][0], alarms.scores[True][255]) == (2, 1)
    assert not alarms.scores[False].any()


def test_nothing_heard_has_no_rate() -> None:
    figures = FalseAlarms().as_dict()
    assert figures["real"]["per_hour"] is None
    assert figures["synthetic"]["per_hour_upper95"] is None


def test_events_are_scored_in_seconds() -> None:
    scene = Soundscape(np.zeros(1, np.float32), (Truth("dog", RATE, 2 * RATE, "x"),), "noise")
    assert true_events(4, scene) == [Event(4, "dog", 1.0, 2.0)]
    assert found_events(4, [found("dog", 1.5, 2.0, 3.0)]) == [Event(4, "dog", 1.5, 3.0)]


def test_the_rates_of_psds_are_those_of_the_tracker_at_each_threshold() -> None:
    """A dog that scores 0.5 while it barks, a rooster of 0.7 where there is none."""
    manifest = load_classifier().manifest
    scores = np.full((200, 11), -128, np.int8)
    scores[40:50, manifest.slugs.index("dog")] = 0
    scores[100:110, manifest.slugs.index("rooster")] = 51
    levels = np.full(200 * 24 + 97, -6_000, np.int16)
    first, last = 40 * 24 + 40, 49 * 24 + 50
    levels[first:last] = -2_000
    length = len(levels) * 160
    scene = Soundscape(np.zeros(length, np.float32), (Truth("dog", first * 160, last * 160, "x"),), "noise")
    trace = Trace(scores, levels, length, 24)
    rates = psds_rates(manifest, [(0, scene, trace)], PsdsParameters(), thresholds=(0.4, 0.6, 0.8))
    assert [r.found for r in rates["dog"]] == [1.0, 0.0, 0.0]
    per_hour = 3_600 / (length / RATE)
    assert [r.false_per_hour for r in rates["rooster"]] == pytest.approx([per_hour, per_hour, 0.0])
