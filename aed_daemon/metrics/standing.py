"""The figures that other parts keep, as metrics: read when somebody asks, at no cost otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from aed_daemon.figures import DeliveryFigures, Figures, SourceFigures
from aed_daemon.health import pss_mb, resident_mb, used_processor_s
from aed_daemon.verdict import judge

_BY_SOURCE: tuple[tuple[str, str, Callable[[SourceFigures], float]], ...] = (
    ("hops", "Decisions, those for which silence spared the network included.", lambda f: f.hops),
    ("gated_hops", "Decisions for which silence spared the network.", lambda f: f.gated_hops),
    ("shed_hops", "Decisions left out because the daemon could not keep up.", lambda f: f.shed_hops),
    ("overruns", "Times that sound was lost because it was not processed in time.", lambda f: f.overruns),
    ("gaps", "Times that sound was lost, for whatever reason.", lambda f: f.gaps),
    ("source_losses", "Times that the source could not be opened or went away.", lambda f: f.losses),
    ("samples", "Samples captured, at the model's rate.", lambda f: f.samples),
    ("busy_seconds", "Time spent on the source's sound.", lambda f: f.busy_s),
    ("audio_seconds", "Sound that has been processed.", lambda f: f.audio_s),
)
_MEANT_TO_BE_DOWN = ("listening_off", "paused", "ended")
"""States of a source that owes nobody any sound."""

_MIB = 2**20


class Standing:
    """A collector of `prometheus_client` over the daemon's figures.

    Parameters
    ----------
    figures : callable
        Returns them.
    """

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures
        self._started_ts: float | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with what it is now."""
        figures = self._figures()
        yield from _sources(figures)
        if figures.delivery:
            yield from _delivery(figures.delivery)
        if self._started_ts is None:  # kept: a change of it is a restart
            self._started_ts = time.time() - figures.uptime_s
        yield GaugeMetricFamily("aed_start_time_seconds", "When it started, since 1970.", self._started_ts)
        yield from _process(figures)


def _sources(figures: Figures) -> Iterator[Metric]:
    for name, text, of in _BY_SOURCE:
        family = CounterMetricFamily(f"aed_{name}", text, labels=["source"])
        for source, counted in figures.sources.items():
            family.add_metric([source], of(counted))
        yield family
    up = GaugeMetricFamily("aed_source_up", "Whether the source delivers sound.", labels=["source"])
    wanted = GaugeMetricFamily(
        "aed_source_wanted",
        "0: switched off, paused or at its end, so that it may be down.",
        labels=["source"],
    )
    for source, state in figures.states.items():
        up.add_metric([source], state == "running")
        wanted.add_metric([source], state not in _MEANT_TO_BE_DOWN)
    yield up
    yield wanted


def _delivery(figures: DeliveryFigures) -> Iterator[Metric]:
    gauge = GaugeMetricFamily
    yield gauge("aed_outbox_depth", "Events that wait for the broker.", figures.depth)
    yield gauge("aed_outbox_oldest_seconds", "Age of the oldest of them; 0: none.", figures.oldest_s or 0.0)
    yield gauge("aed_outbox_on_disk", "Whether they wait on disk.", figures.outbox == "disk")
    yield gauge("aed_dead_letters", "Events that the broker refused.", figures.dead_letters)
    if figures.connected is not None:
        yield gauge("aed_mqtt_connected", "Whether the broker has let us in.", figures.connected)
        yield CounterMetricFamily(
            "aed_mqtt_reconnects", "Times that the connection came about again.", figures.reconnects
        )
    yield CounterMetricFamily(
        "aed_sink_failures", "Calls of a sink that ended in an exception: defects.", figures.failures
    )


def _process(figures: Figures) -> Iterator[Metric]:
    gauge = GaugeMetricFamily
    yield CounterMetricFamily(
        "aed_companion_failures",
        "Calls of history, clips, metrics or the page that ended in an exception: defects.",
        figures.failures,
    )
    yield gauge("aed_healthy", "Whether /healthz answers 200.", judge(figures).healthy)
    yield gauge("aed_main_loop_age_seconds", "Time since the main loop turned.", figures.turn_age_s)
    yield CounterMetricFamily("aed_cpu_seconds", "Processor time of all its processes.", used_processor_s())
    for name, text, mib in (
        ("aed_memory_pss_bytes", "Memory of all its processes, shared pages by their share.", pss_mb()),
        ("aed_resident_memory_bytes", "Resident memory of its main process.", resident_mb()),
    ):
        if mib is not None:
            yield gauge(name, text, mib * _MIB)
