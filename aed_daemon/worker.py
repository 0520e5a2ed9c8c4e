"""SourceWorker: one source's capture thread and pipeline thread, from start to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from aed_daemon.audio.reader import ENDED, STOPPED, CaptureReader, ReaderCounters
from aed_daemon.config_sources import MicrophoneSource
from aed_daemon.config_sources import Source as SourceConfig
from aed_daemon.pipeline_counters import PipelineCounters
from aed_daemon.sources import backoff_of, conditioning_of, source_maker

if TYPE_CHECKING:
    from aed_daemon.audio.child import Child
    from aed_daemon.config import DetectionConfig
    from aed_daemon.detector import Detector
    from aed_daemon.events import Reason
    from aed_daemon.observer import Observer
    from aed_daemon.pipeline import Out, Pipeline
    from aed_daemon.reporting import EventReporter

_log = structlog.get_logger(__name__)


class SourceWorker:
    """A source that is listened to.

    Parameters
    ----------
    config : SourceConfig
        The source.
    rate_hz : int
        The model's rate.
    on_state : callable
        on_state(name, online, reason), whenever the source comes or goes; the reason is the one
        word of `AudioError.code`, or "ended", "stopped" or "failed".
    retry : bool
        As for `CaptureReader`.
    child : Child, optional
        The microphone's capture process, where it has been started already.
    """

    def __init__(
        self,
        config: SourceConfig,
        rate_hz: int,
        on_state: Callable[[str, bool, str | None], None],
        *,
        retry: bool = True,
        child: Child | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self._on_state = on_state
        self.online = False
        self.reader = CaptureReader(
            source_maker(config, child),
            rate_hz=rate_hz,
            conditioning=conditioning_of(config),
            retry=retry,
            on_state=self._state,
            backoff_s=backoff_of(config),
            dead_signal_s=config.dead_signal_s if isinstance(config, MicrophoneSource) else 0.0,
        )
        self.failure: BaseException | None = None
        self._pipeline: Pipeline | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to capture; what is heard waits in the ring until `listen`."""
        self.reader.start()

    def listen(
        self,
        detector: Detector,
        reporter: EventReporter,
        out: Out,
        observer: Observer | None = None,
    ) -> None:
        """Begin to detect, in a thread of its own."""
        from aed_daemon.pipeline import Pipeline

        # A source that waits for its reader is never late, however full the ring.
        self._pipeline = Pipeline(
            self.name,
            self.reader.ring,
            detector,
            reporter,
            out,
            clips=self.reader.clips,
            observer=observer,
            may_widen=self.reader.live,
        )
        self._thread = threading.Thread(target=self._run, name=f"pipeline {self.name}", daemon=True)
        self._thread.start()

    def relisten(self, detector: Detector, reporter: EventReporter) -> None:
        """Go on with another detector and lose no sound."""
        if self._pipeline:
            self._pipeline.replace(detector, reporter)

    def retune(self, config: DetectionConfig) -> None:
        """Go on with other thresholds and lose nothing that has been heard."""
        if self._pipeline:
            self._pipeline.retune(config)

    def stop(self, timeout_s: float, reason: Reason = "shutdown") -> None:
        """Stop capturing and let the pipeline end what is open, for this reason."""
        if self._pipeline:
            self._pipeline.stop_reason = reason
        self.reader.stop()
        if self._thread:
            self._thread.join(timeout_s)

    def join(self) -> None:
        """Wait until the source has ended and all of it was heard."""
        if self._thread:
            self._thread.join()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self._thread is not None and not self._thread.is_alive()

    def counters(self) -> tuple[ReaderCounters, PipelineCounters]:
        """Return what capture and pipeline have done."""
        return self.reader.counters(), self._pipeline.counters if self._pipeline else PipelineCounters()

    def _run(self) -> None:
        if self._pipeline is None:
            return
        try:
            self._pipeline.run()
        except Exception as error:
            # A defect. The daemon must not go on deaf: its main loop sees `failure` and exits.
            _log.exception("pipeline_failed", source=self.name)
            self.failure = error

    def _state(self, online: bool, code: str | None, detail: str | None) -> None:
        self.online = online
        if online:
            _log.info("source_online", source=self.name)
        else:
            log = _log.info if code in (ENDED, STOPPED) else _log.warning
            log("source_offline", source=self.name, code=code, reason=detail)
        self._on_state(self.name, online, code)
