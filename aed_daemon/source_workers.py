"""SourceWorkers: the sources that are listened to, and how they come, change and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from aed_daemon.config import Config
from aed_daemon.control.settings import RemoteSettings
from aed_daemon.vitals import Vitals
from aed_daemon.worker import SourceWorker

if TYPE_CHECKING:  # imported while the devices open
    from aed_daemon.audio.child import Child
    from aed_daemon.detector import Detector
    from aed_daemon.inference import Classifier
    from aed_daemon.observer import Observer
    from aed_daemon.outlet import Outlet
    from aed_daemon.reporting import EventReporter

_PIPELINE_STOP_S = 2.0


def classifier_of(config: Config) -> Classifier:
    """Return a classifier as a configuration says; raises ModelError."""
    from aed_daemon.inference import load_classifier

    return load_classifier(config.model.path, config.model.engine, config.model.threads)


class SourceWorkers:
    """A worker for each source that is listened to; used from the main loop's thread.

    Parameters
    ----------
    config : Config
        What holds at first.
    settings : RemoteSettings
        Which sources are silent, and thresholds.
    vitals : Vitals
        Takes the figures of sources that go.
    clock_synced : callable
        Whether the system clock is synchronised.
    observer : Observer, optional
        Looks on.
    retry : bool
        As for `CaptureReader`.
    launched : mapping of str to Child, optional
        Capture processes that have been started already, by source.

    Attributes
    ----------
    running : dict of str to SourceWorker
        By source.
    """

    def __init__(
        self,
        config: Config,
        settings: RemoteSettings,
        vitals: Vitals,
        clock_synced: Callable[[], bool],
        *,
        observer: Observer | None = None,
        retry: bool = True,
        launched: Mapping[str, Child] | None = None,
    ) -> None:
        self._config, self._settings, self._vitals = config, settings, vitals
        self._clock_synced, self._observer, self._retry = clock_synced, observer, retry
        self._launched = dict(launched or {})
        self._classifier: Classifier | None = None
        self._outlet: Outlet | None = None
        self._states_lock = threading.Lock()
        self._pending_states: list[tuple[str, bool, str | None]] = []
        self.running: dict[str, SourceWorker] = {}

    def capture(self, rate_hz: int) -> None:
        """Open the devices of all sources that are not silent; the rings keep what comes."""
        for source in self._config.source:
            if self._settings.silence(source.name) is None:
                self._add(source.name, rate_hz)

    def publish_to(self, outlet: Outlet, classifier: Classifier) -> None:
        """Tell an outlet the states of the sources, those that came before it and all that follow."""
        self._classifier = classifier
        with self._states_lock:
            self._outlet = outlet
            for state in self._pending_states:
                outlet.availability(*state)

    def listen(self) -> None:
        """Begin to detect in what is captured."""
        for worker in self.running.values():
            self._listen(worker)

    def open(self, name: str, rate_hz: int) -> None:
        """Listen to a source that is silent."""
        self._listen(self._add(name, rate_hz))

    def close(self, name: str) -> None:
        """Close the device of a source, if it is open; its sounds end because nobody listens."""
        worker = self.running.get(name)
        if worker is not None:
            worker.stop(_PIPELINE_STOP_S, "listening_off")
            self._vitals.retire(self.running.pop(name))

    def exchange(self, config: Config, classifier: Classifier, rate_hz: int) -> None:
        """Keep sources that are as they were, with their devices open; exchange the others."""
        before, self._config, self._classifier = self._config, config, classifier
        wanted = {source.name: source for source in config.source}
        for name, worker in list(self.running.items()):
            if wanted.get(name) != worker.config:
                worker.stop(_PIPELINE_STOP_S)
                self._vitals.retire(worker)
                del self.running[name]
            elif (before.detection, before.model, before.node) != (
                config.detection,
                config.model,
                config.node,
            ):
                worker.relisten(self._detector(worker), self._reporter(worker, classifier))
        for name in wanted.keys() - self.running.keys():
            if self._settings.silence(name) is None:
                self.open(name, rate_hz)

    def stop(self) -> None:
        """Close every device and end what is open."""
        for worker in self.running.values():
            worker.stop(_PIPELINE_STOP_S)

    def _add(self, name: str, rate_hz: int) -> SourceWorker:
        source = next(source for source in self._config.source if source.name == name)
        child = self._launched.pop(name, None)
        worker = SourceWorker(source, rate_hz, self._state, retry=self._retry, child=child)
        self.running[name] = worker
        worker.start()
        return worker

    def _listen(self, worker: SourceWorker) -> None:
        if self._outlet is None or self._classifier is None:
            return
        reporter = self._reporter(worker, self._classifier)
        worker.listen(self._detector(worker), reporter, self._outlet, self._observer)

    def _detector(self, worker: SourceWorker) -> Detector:
        from aed_daemon.detector import Detector

        # An interpreter belongs to one thread, so every source has its own.
        classifier = classifier_of(self._config)
        detection = self._settings.detection(worker.name, self._config.detection)
        lap = partial(self._observer.stage, worker.name) if self._observer else None
        return Detector(classifier, detection, worker.config.gain_db, lap)

    def _reporter(self, worker: SourceWorker, classifier: Classifier) -> EventReporter:
        from aed_daemon.reporting import EventReporter

        clock = worker.reader.clock
        return EventReporter(
            self._config.node,
            worker.name,
            classifier,
            self._config.detection.hop_frames,
            lambda index: time.time() if (utc_s := clock.utc_s(index)) is None else utc_s,
            clock_synced=self._clock_synced,
        )

    def _state(self, name: str, online: bool, reason: str | None) -> None:
        """Tell a state of a source; called from its reader's thread."""
        if reason == "stopped":
            reason = self._settings.silence(name) or reason
        with self._states_lock:
            if self._outlet is None:
                self._pending_states.append((name, online, reason))
            else:
                self._outlet.availability(name, online, reason)
