"""A machine that is too slow for the hop: fewer decisions, then the configured ones again."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.ring import Ring
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import ModelManifest
from aed_daemon.overload import CALM_LOOKS, HopControl
from aed_daemon.pipeline import Pipeline
from aed_daemon.reporting import EventReporter
from tests.test_detector import bursts
from tests.test_pipeline import Out
from tests.waiting import wait_for


class Machine:
    """Sound arrives second by second; front end and decisions take their time, in seconds."""

    def __init__(self, decision_s: float, front_end_s: float = 0.05, most: int = 96) -> None:
        self.decision_s, self.front_end_s = decision_s, front_end_s
        self.control = HopControl(24, most)
        self.late_s = self.most_late_s = 0.0
        self.changes: list[int] = []

    def run(self, looks: int) -> None:
        for _ in range(looks):
            before = self.control.frames
            busy_s = self.front_end_s + self.decision_s * 100 / before
            # A second of sound is worked on; meanwhile more arrives.
            self.late_s = max(0.0, self.late_s + busy_s - 1.0)
            self.most_late_s = max(self.most_late_s, self.late_s)
            now = self.control.look(self.late_s, busy_s)
            if now != before:
                self.changes.append(now)


def test_a_machine_that_keeps_up_changes_nothing() -> None:
    machine = Machine(0.2)
    machine.run(10_000)
    assert machine.changes == []


def test_a_short_load_changes_nothing() -> None:
    machine = Machine(0.05)
    machine.run(100)
    machine.late_s = 4.0  # the daemon was stopped for a moment
    machine.run(100)
    assert machine.changes == []


def test_overload_widens_the_hop_until_it_keeps_up_and_its_end_restores_it() -> None:
    machine = Machine(0.3)
    machine.run(200)
    assert machine.changes == [48]
    assert machine.late_s == 0.0
    assert machine.most_late_s < 10.0
    machine.decision_s = 0.02
    machine.run(CALM_LOOKS[0] * 2 + 1)
    assert machine.changes == [48, 24]
    assert not machine.control.widened


def test_what_no_hop_can_mend_ends_at_the_widest() -> None:
    machine = Machine(3.0)
    machine.run(100)
    assert machine.changes == [48, 96]


def test_the_widest_hop_is_as_configured() -> None:
    machine = Machine(3.0, most=40)
    machine.run(100)
    assert machine.changes == [40]
    never = Machine(3.0, most=12)
    never.run(100)
    assert never.changes == []


@given(
    loads=st.lists(st.tuples(st.floats(0.0, 0.6), st.integers(1, 400)), min_size=1, max_size=8),
    front_end_s=st.floats(0.0, 0.3),
)
def test_under_any_load_it_settles_and_does_not_flap(
    loads: list[tuple[float, int]], front_end_s: float
) -> None:
    machine = Machine(0.0, front_end_s)
    for decision_s, looks in loads:
        machine.decision_s = decision_s
        machine.run(looks)
    machine.changes.clear()
    machine.run(5_000)
    assert len(machine.changes) <= 4, "a steady load is answered once"
    assert machine.late_s < 1.0 or machine.control.frames == 96
    machine.decision_s, machine.front_end_s = 0.01, 0.01
    machine.run(2_000)
    assert machine.control.frames == 24


class SlowClassifier:
    """The shipped model on a machine that takes so long for each decision."""

    def __init__(self, decision_s: float) -> None:
        self._inner = load_classifier()
        self.manifest: ModelManifest = self._inner.manifest
        self.engine, self.exact = self._inner.engine, self._inner.exact
        self.decision_s = decision_s
        self._pause = threading.Event()

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        self._pause.wait(self.decision_s)
        return self._inner.scores(rows)


SPEED = 10.0
UNGATED = DetectionConfig.model_validate({"gate": {"enabled": False}})


def test_a_live_source_goes_on_without_a_hole_and_with_the_true_hop_in_its_events() -> None:
    """Sound comes in ten times as fast as it would; a decision takes longer than its hop lasts."""
    ring = Ring(16_000 * 120)
    classifier = SlowClassifier(0.24 / SPEED * 1.4)
    out, stop = Out(), threading.Event()
    reporter = EventReporter("n", "porch", classifier, 24, lambda index: index / 16_000, clock=lambda: 0.0)
    detector = Detector(classifier, UNGATED)
    pipeline = Pipeline("porch", ring, detector, reporter, out, may_widen=True)
    sound = bursts(8.0)

    def write() -> None:
        begun_s, at = time.monotonic(), 0
        while not stop.wait(0.01):
            due = round((time.monotonic() - begun_s) * SPEED * 16_000)
            while at < due:
                part = sound[at % len(sound) :][: due - at]
                ring.write(part, wait=False)
                at += len(part)
        ring.close("stopped")

    writer = threading.Thread(target=write)
    loop = threading.Thread(target=pipeline.run)
    with structlog.testing.capture_logs() as logs:
        loop.start()
        writer.start()
        wait_for(lambda: detector.hop_samples > 24 * 160, "the hop is widened", 60.0)
        wait_for(lambda: ring.waiting < 16_000 or detector.hop_samples == 96 * 160, "it keeps up", 60.0)
        classifier.decision_s = 0.0
        wait_for(lambda: detector.hop_samples == 24 * 160, "the hop is restored", 120.0)
        stop.set()
        writer.join()
        loop.join()
    told = [line["event"] for line in logs]
    assert told[0] == "overload"
    assert told[-1] == "overload_eases"
    assert (pipeline.counters.gaps, pipeline.counters.shed_hops) == (0, 0)
    assert {0.48} <= {event.hop_s for event in out.events} <= {0.24, 0.48, 0.96}
    assert not [event for event in out.events if event.reason not in (None, "shutdown")]


@pytest.mark.parametrize("hop", [12, 48, 96])
def test_another_hop_loses_and_repeats_no_frame(hop: int) -> None:
    """Decisions before and after the change fall where they should, with the scores of their patch."""
    classifier = load_classifier()
    samples = bursts(8.0)
    fixed = {d.end_sample: d.scores for d in Detector(classifier, one_frame_hop()).push(samples)}
    detector = Detector(classifier, UNGATED)
    decisions = detector.push(samples[:48_000])
    expected_next = detector.next_decision
    detector.rehop(hop)
    later = detector.push(samples[48_000:])
    assert later[0].end_sample == expected_next
    steps = {b.end_sample - a.end_sample for a, b in pairwise(later)}
    assert steps == {hop * 160}
    assert detector.next_decision == later[-1].end_sample + hop * 160
    for decision in decisions + later:
        np.testing.assert_array_equal(decision.scores, fixed[decision.end_sample])


def one_frame_hop() -> DetectionConfig:
    return UNGATED.model_copy(update={"hop_frames": 1})


def test_an_overrun_of_a_hopeless_machine_leaves_long_stretches() -> None:
    """After a hole the newest quarter is left, so the next is far: small holes would hide every sound."""
    ring = Ring(16_000 * 8, keep=16_000 * 2)
    ring.write(np.zeros(16_000 * 11, np.float32), wait=False)
    ring.close("ended")
    out = Out()
    classifier = load_classifier()
    reporter = EventReporter("n", "porch", classifier, 24, lambda index: index / 16_000)
    pipeline = Pipeline("porch", ring, Detector(classifier, UNGATED), reporter, out)
    pipeline.run()
    assert pipeline.counters.gaps == 1
    assert pipeline.counters.shed_hops == 38, "9 s, at 0.24 s a hop, begun ones included"
    assert pipeline.counters.audio_s == 2.0
