"""Vitals: the daemon's health since its start, also over sources that a reload has taken away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

import structlog

from aed_daemon.health import CpuMeter, pss_mb
from aed_daemon.sinks.protocol import Health
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.worker import SourceWorker

_log = structlog.get_logger(__name__)

_SHORTEST_S = 1.0
"""A rate over less than this says nothing."""


class Vitals:
    """Adds up what the sources have done."""

    def __init__(self) -> None:
        self._cpu = CpuMeter()
        self._started_s = time.monotonic()
        self._gone: Counter[str] = Counter()
        self._begun_s = -_SHORTEST_S
        self._done_before: tuple[int, int] = (0, 0)
        self._rates: tuple[float | None, float | None] = (None, None)
        self._gaps_told: dict[str, int] = {}
        self._quiet = OncePer()

    def tell_losses(self, workers: Iterable[SourceWorker]) -> None:
        """Log that sound was lost, a source at most once a minute."""
        for worker in workers:
            capture, detection = worker.counters()
            if detection.gaps <= self._gaps_told.get(worker.name, 0):
                continue
            held = self._quiet.due(worker.name)
            if held is not None:
                self._gaps_told[worker.name] = detection.gaps
                _log.warning(
                    "sound_lost",
                    source=worker.name,
                    gaps=detection.gaps,
                    overruns=capture.overruns,
                    shed_hops=detection.shed_hops,
                )

    def retire(self, worker: SourceWorker) -> None:
        """Keep the figures of a source that goes: they count since the daemon's start."""
        self._gaps_told.pop(worker.name, None)
        self._gone.update(_figures(worker))

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_s

    def health(self, workers: Iterable[SourceWorker]) -> Health:
        """Return how the daemon is, given the sources that it has now; from any thread.

        Real-time factor and processor time are those since `begin_interval`, or of the interval before
        where this one has just begun: over days a mean would hide an overload.
        """
        total = self._total(workers)
        fresh = time.monotonic() - self._begun_s < _SHORTEST_S
        real_time_factor, cpu_percent = self._rates if fresh else self._rates_of(total)
        return Health(
            real_time_factor=real_time_factor,
            cpu_percent=cpu_percent,
            pss_mb=pss_mb(),
            overruns=total["overruns"],
            shed_hops=total["shed_hops"],
            events=total["events"],
            uptime_s=round(self.uptime_s, 1),
        )

    def begin_interval(self, workers: Iterable[SourceWorker]) -> None:
        """Count rates from now on."""
        total = self._total(workers)
        self._rates = self._rates_of(total)
        self._done_before, self._begun_s = (total["busy_us"], total["audio_ms"]), time.monotonic()
        self._cpu.restart()

    def _total(self, workers: Iterable[SourceWorker]) -> Counter[str]:
        total: Counter[str] = Counter(self._gone)
        for worker in workers:
            total.update(_figures(worker))
        return total

    def _rates_of(self, total: Counter[str]) -> tuple[float | None, float | None]:
        busy_us, audio_ms = total["busy_us"] - self._done_before[0], total["audio_ms"] - self._done_before[1]
        return round(busy_us / 1_000 / audio_ms, 5) if audio_ms > 0 else None, self._cpu.percent()


def _figures(worker: SourceWorker) -> dict[str, int]:
    capture, detection = worker.counters()
    return {
        "overruns": capture.overruns,
        "shed_hops": detection.shed_hops,
        "events": detection.events,
        "busy_us": round(detection.busy_s * 1e6),
        "audio_ms": round(detection.audio_s * 1e3),
    }
