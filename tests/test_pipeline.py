"""The loop between ring and publisher: gaps, ends, replacements, times."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.audio.ring import Ring
from aed_daemon.detector import Detector
from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from aed_daemon.pipeline import Pipeline
from aed_daemon.reporting import EventReporter
from aed_daemon.sinks.protocol import SourceLevel
from tests.test_detector import EAGER, Samples, bursts

CLASSIFIER = load_classifier()
EPOCH_S = 1_800_000_000.0


class Out:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.levels: list[SourceLevel] = []

    def event(self, draft: Event) -> Event:
        self.events.append(draft)
        return draft

    def level(self, level: SourceLevel) -> None:
        self.levels.append(level)


def reporter() -> EventReporter:
    return EventReporter(
        "node",
        "porch",
        CLASSIFIER,
        EAGER.hop_frames,
        lambda index: EPOCH_S + index / 16_000,
        clock=lambda: 0.0,
    )


def make(ring: Ring) -> tuple[Pipeline, Out]:
    out = Out()
    return Pipeline("porch", ring, Detector(CLASSIFIER, EAGER), reporter(), out), out


def run(*parts: Samples | int, reason: str = "ended") -> tuple[Pipeline, Out]:
    """Run a pipeline over samples, with gaps of so many samples where a number stands."""
    ring = Ring(16_000 * 60)
    for part in parts:
        if isinstance(part, int):
            ring.cut(ring.written + part, "gap")
        else:
            ring.write(part, wait=False)
    ring.close(reason)
    pipeline, out = make(ring)
    pipeline.run()
    return pipeline, out


def bare(event: Event) -> dict[str, object]:
    """Return what must not depend on how the samples came."""
    return event.model_dump(exclude={"id"})


@settings(deadline=None, max_examples=10)
@given(sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=5), seed=st.integers(0, 20))
def test_a_writer_in_pieces_gives_the_same_events(sizes: list[int], seed: int) -> None:
    samples = bursts(4.0, seed)
    _, expected = run(samples)
    ring = Ring(4_000)
    pipeline, out = make(ring)

    def write() -> None:
        at = 0
        while at < len(samples):
            for size in sizes:
                ring.write(samples[at : at + size], wait=True)
                at += size
        ring.close("ended")

    writer = threading.Thread(target=write)
    writer.start()
    pipeline.run()
    writer.join()
    assert [bare(event) for event in out.events] == [bare(event) for event in expected.events]


def test_every_start_has_one_end_with_its_id() -> None:
    _, out = run(bursts(8.0))
    starts = [event.id for event in out.events if event.type == "start"]
    ends = [event.id for event in out.events if event.type == "end"]
    assert starts
    assert sorted(starts) == sorted(ends)
    assert len(set(starts)) == len(starts)


def test_times_come_from_the_sample_index() -> None:
    _, out = run(bursts(8.0))
    for event in out.events:
        assert event.start_ts == round(EPOCH_S + event.start_sample / 16_000, 3)
        assert event.latency_ms >= 0
        if event.type == "end":
            assert event.end_sample is not None
            assert event.duration_s == (event.end_sample - event.start_sample) / 16_000
            assert event.start_sample < event.end_sample
        else:
            assert event.end is None


def test_a_gap_ends_what_is_open_and_is_not_spliced_over() -> None:
    pipeline, out = run(bursts(4.0), 5_000, bursts(4.0, seed=1), reason="stopped")
    gap = (64_000, 64_000 + 5_000)
    assert pipeline.counters.gaps == 1
    cut = [event for event in out.events if event.reason == "gap"]
    assert cut
    for event in out.events:
        end_sample = event.end_sample or event.start_sample + 1
        assert end_sample <= gap[0] or event.start_sample >= gap[1]
    after = [event for event in out.events if event.start_sample >= gap[1]]
    assert after
    assert all(event.gap_before for event in after)
    assert not any(event.gap_before for event in out.events if event.start_sample < gap[0])
    assert {event.reason for event in after if event.type == "end"} <= {"shutdown", None}


def test_the_reason_of_the_last_ends() -> None:
    for close, expected in (("ended", "end_of_input"), ("stopped", "shutdown")):
        _, out = run(bursts(4.0), reason=close)
        reasons = [event.reason for event in out.events if event.type == "end"]
        assert expected in reasons
        assert set(reasons) <= {expected, None}


def test_an_overrun_is_a_gap() -> None:
    ring = Ring(20_000)
    ring.write(bursts(2.0), wait=False)
    ring.close("ended")
    pipeline, _ = make(ring)
    pipeline.run()
    assert pipeline.counters.gaps == 1
    assert pipeline.counters.audio_s == 20_000 / 16_000
    assert pipeline.counters.shed_hops == 4  # 12,000 samples, at 3,840 a hop


def test_another_detector_takes_over_and_loses_no_sound() -> None:
    ring = Ring(16_000 * 10)
    ring.write(bursts(3.0), wait=False)
    pipeline, out = make(ring)
    pipeline.replace(Detector(CLASSIFIER, EAGER), reporter())
    ring.close("ended")
    pipeline.run()
    assert pipeline.counters.audio_s == 3.0
    assert out.events
    assert out.levels[0].source == "porch"


def test_counters_tell_hops_and_silence() -> None:
    pipeline, out = run(np.zeros(16_000 * 3, np.float32))
    assert pipeline.counters.hops == pipeline.counters.gated_hops == len(out.levels) == 9
    assert out.events == []
    assert out.levels[0].rms_dbfs == -120.0


def test_other_thresholds_take_effect_and_no_hop_is_lost() -> None:
    ring = Ring(16_000 * 10)
    samples = bursts(8.0)
    pipeline, out = make(ring)
    deaf = EAGER.model_copy(
        update={"defaults": EAGER.defaults.model_copy(update={"threshold_on": 1.0, "threshold_off": 1.0})}
    )
    pipeline.retune(deaf)
    ring.write(samples, wait=False)
    ring.close("ended")
    pipeline.run()
    plain, expected = run(samples)
    assert pipeline.counters.hops == plain.counters.hops
    assert out.levels == expected.levels, "the same hops, at the same samples"
    assert any(event.class_ != "loud_sound" for event in expected.events)
    assert [bare(event) for event in out.events] == [
        bare(event) for event in expected.events if event.class_ == "loud_sound"
    ]


def test_a_source_that_is_switched_off_ends_its_sounds_with_that_reason() -> None:
    ring = Ring(16_000 * 60)
    ring.write(bursts(4.0), wait=False)
    ring.close("stopped")
    pipeline, out = make(ring)
    pipeline.stop_reason = "listening_off"
    pipeline.run()
    assert "listening_off" in {event.reason for event in out.events}
