"""The loop that joins the stages of one source: ring -> detector -> events -> publisher."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import structlog

from aed_daemon.audio.clipping import ClipMarks, Span
from aed_daemon.audio.ring import Gap, Ring, Stretch
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Decision, Detector
from aed_daemon.events import Event, Reason
from aed_daemon.observer import Observation, Observer
from aed_daemon.overload import HopControl
from aed_daemon.pipeline_counters import PipelineCounters
from aed_daemon.reporting import EventReporter
from aed_daemon.sinks.protocol import SourceLevel

_log = structlog.get_logger(__name__)

_IDLE_TURN_S = 0.5
"""A turn of the loop takes no longer than this, so that its progress shows that it lives."""

_LOOK_S = 1.0
"""Whether it keeps up is asked once in so much sound."""

_GAP_MARK_S = 5.0
"""Events that begin within this time after a gap are marked `gap_before`."""


class Out(Protocol):
    """Where a pipeline's results go; calls must not block."""

    def event(self, draft: Event) -> object:
        """Publish an event."""

    def level(self, level: SourceLevel) -> None:
        """Publish a level."""


class Pipeline:
    """Follows one ring to its end.

    Parameters
    ----------
    source : str
        Name of the source.
    ring : Ring
        Samples at the model's rate.
    detector : Detector
        The stages.
    reporter : EventReporter
        Makes events of what the tracker says.
    out : Out
        Takes them.
    clips : ClipMarks, optional
        Which samples the device has clipped; else it is judged by what is in the ring.
    observer : Observer, optional
        Looks on.
    may_widen : bool
        Whether it may decide less often where it falls behind; not for a source that waits for it.

    Attributes
    ----------
    stop_reason : str
        Why sounds end that are open when the source is stopped.
    """

    def __init__(
        self,
        source: str,
        ring: Ring,
        detector: Detector,
        reporter: EventReporter,
        out: Out,
        *,
        clips: ClipMarks | None = None,
        observer: Observer | None = None,
        may_widen: bool = False,
    ) -> None:
        self._source, self._ring, self._out = source, ring, out
        self._detector, self._reporter = detector, reporter
        self._clips, self._may_widen = clips, may_widen
        self._hops = HopControl(*detector.hop_range)
        self._looked = (0.0, 0.0)
        self._observer = observer
        self._replacement: tuple[Detector, EventReporter] | None = None
        self._retuning: DetectionConfig | None = None
        self._lock = threading.Lock()
        self.stop_reason: Reason = "shutdown"
        self._origin = ring.read_index
        self._gap_end: int | None = None
        self.counters = PipelineCounters()

    def replace(self, detector: Detector, reporter: EventReporter) -> None:
        """Go on with another detector, from the next turn on; open events end as interrupted."""
        with self._lock:
            self._replacement, self._retuning = (detector, reporter), None

    def retune(self, config: DetectionConfig) -> None:
        """Go on with other thresholds, from the next turn on; see `Detector.retune`."""
        with self._lock:
            self._retuning = config

    def run(self) -> None:
        """Work until the ring is closed and empty, then end what is open."""
        while self._turn():
            pass
        reason = self.stop_reason if self._ring.close_reason == "stopped" else "end_of_input"
        self._finish(reason)
        if self._observer:
            self._observer.over(self._source)

    def _turn(self) -> bool:
        """Wait for what the next decision needs and take it; False at the end."""
        self.counters.turns += 1
        self._take_replacement()
        state = self._ring.wait(self._origin + self._detector.next_decision, _IDLE_TURN_S)
        if state == "timeout":
            return True
        begun_s = time.perf_counter()
        piece = self._ring.read(self._detector.spec.sample_rate_hz)
        if isinstance(piece, Stretch):
            self._take(piece)
        elif isinstance(piece, Gap):
            self._step_over(piece)
        self.counters.busy_s += time.perf_counter() - begun_s
        if self._may_widen:
            self._keep_up()
        return not (piece is None and state == "closed")

    def _keep_up(self) -> None:
        """Once per second of sound, see whether decisions must become fewer, or may become more."""
        busy_s, audio_s = (
            self.counters.busy_s - self._looked[0],
            self.counters.audio_s - self._looked[1],
        )
        if audio_s < _LOOK_S:
            return
        self._looked = (self.counters.busy_s, self.counters.audio_s)
        before, late_s = self._hops.frames, self._ring.waiting / self._detector.spec.sample_rate_hz
        now = self._hops.look(late_s, busy_s / audio_s)
        if now == before:
            return
        self._detector.rehop(now)
        self._reporter.rehop(now)
        _log.warning(
            "overload" if now > before else "overload_eases",
            source=self._source,
            late_s=round(late_s, 2),
            real_time_factor=round(busy_s / audio_s, 3),
            hop_frames=now,
        )

    def _take_replacement(self) -> None:
        with self._lock:
            replacement, self._replacement = self._replacement, None
            retuning, self._retuning = self._retuning, None
        if replacement:
            self._finish("interrupted")
            self._detector, self._reporter = replacement
            self._hops = HopControl(*self._detector.hop_range)
            self._origin = self._ring.read_index
        if retuning:
            self._detector.retune(retuning)

    def _take(self, piece: Stretch) -> None:
        self.counters.audio_s += len(piece.samples) / self._detector.spec.sample_rate_hz
        if self._observer:
            self._observer.sound(self._source, piece.first_sample, piece.samples)
        for decision in self._detector.push(piece.samples, self._clipped(piece)):
            self.counters.hops += 1
            self.counters.gated_hops += decision.gated
            self._publish(decision)
            if self._observer:
                end_sample = self._origin + decision.end_sample
                self._observer.hop(Observation(self._source, end_sample, decision))

    def _clipped(self, piece: Stretch) -> list[Span] | None:
        if self._clips is None:
            return None
        spans = self._clips.take(piece.first_sample, piece.first_sample + len(piece.samples))
        return [(first - self._origin, end - self._origin) for first, end in spans]

    def _publish(self, decision: Decision) -> None:
        for event in decision.events:
            start = self._origin + event.start_frame * self._detector.spec.hop_length
            self.counters.events += 1
            gap_before = self._follows_gap(start)
            self._send(
                self._reporter.report(
                    event,
                    self._origin,
                    self._origin + decision.end_sample,
                    decision.scores,
                    gap_before=gap_before,
                )
            )
        self._out.level(
            SourceLevel(
                self._source,
                decision.rms_cdb / 100,
                decision.peak_cdb / 100,
                decision.floor_cdb / 100,
                decision.clipped,
            )
        )

    def _send(self, draft: Event) -> None:
        clip = self._observer.recording(draft) if self._observer else None
        self._out.event(draft if clip is None else draft.model_copy(update={"clip": clip}))

    def _follows_gap(self, start_sample: int) -> bool:
        mark_samples = _GAP_MARK_S * self._detector.spec.sample_rate_hz
        return self._gap_end is not None and start_sample - self._gap_end < mark_samples

    def _step_over(self, gap: Gap) -> None:
        self.counters.gaps += 1
        if gap.reason == "overrun":
            self.counters.shed_hops += -(-(gap.end_sample - gap.first_sample) // self._detector.hop_samples)
        self._finish("device_lost" if gap.reason == "device_lost" else "gap")
        if self._observer:
            self._observer.gap(self._source, gap.first_sample, gap.end_sample)
        self._origin = self._gap_end = gap.end_sample

    def _finish(self, reason: str) -> None:
        for event in self._detector.finish(reason):
            self.counters.events += 1
            now = self._ring.read_index
            self._send(self._reporter.report(event, self._origin, now, None, gap_before=False))
        self._detector.reset()
