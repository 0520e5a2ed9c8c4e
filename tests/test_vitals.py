from __future__ import annotations

import structlog

from aed_daemon.audio.reader import ReaderCounters
from aed_daemon.config_sources import DemoSource
from aed_daemon.pipeline_counters import PipelineCounters
from aed_daemon.vitals import Vitals
from aed_daemon.worker import SourceWorker
from tests.waiting import wait_for


def test_what_a_source_has_done_counts_on_when_it_is_gone() -> None:
    from aed_daemon.config import DetectionConfig
    from aed_daemon.detector import Detector
    from aed_daemon.inference import load_classifier
    from aed_daemon.reporting import EventReporter
    from tests.test_pipeline import Out

    classifier = load_classifier()
    source = DemoSource(type="demo", name="scape", realtime=False, loop=False)
    worker = SourceWorker(source, 16_000, lambda *_: None)
    out = Out()
    worker.start()
    reporter = EventReporter("node", "scape", classifier, 24, lambda index: index / 16_000)
    worker.listen(Detector(classifier, DetectionConfig()), reporter, out)
    wait_for(lambda: worker.ended, "the soundscape is heard", 60.0)
    vitals = Vitals()
    there = vitals.health([worker])
    assert there.events == len(out.events) > 0
    assert there.real_time_factor is not None
    assert 0 < there.real_time_factor < 1
    assert there.pss_mb is not None
    assert there.pss_mb > 0
    assert vitals.health([worker]).real_time_factor == there.real_time_factor, "asking changes nothing"
    vitals.begin_interval([worker])
    vitals.retire(worker)
    just_begun = vitals.health([])
    assert (just_begun.events, just_begun.overruns, just_begun.shed_hops) == (there.events, 0, 0)
    assert just_begun.real_time_factor == there.real_time_factor, "a moment says nothing: that before holds"
    wait_for(lambda: vitals.health([]).real_time_factor is None, "an interval in which nothing came")


class Lossy:
    """A source whose counters the test sets."""

    name = "porch"

    def __init__(self) -> None:
        self.gaps = 0

    def counters(self) -> tuple[ReaderCounters, PipelineCounters]:
        return ReaderCounters(0, 0, 0, 0, None, "running"), PipelineCounters(gaps=self.gaps)


def test_lost_sound_is_logged_and_not_at_every_gap() -> None:
    vitals, source = Vitals(), Lossy()
    with structlog.testing.capture_logs() as logs:
        for gaps in (0, 1, 1, 2, 3):
            source.gaps = gaps
            vitals.tell_losses([source])  # type: ignore[list-item]
    assert [(line["event"], line["source"], line["gaps"]) for line in logs] == [("sound_lost", "porch", 1)]
