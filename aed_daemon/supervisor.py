"""Daemon: the process that listens, from its configuration to its last acknowledged event."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from aed_daemon.companion_kinds import KINDS
from aed_daemon.companions import Companion, Companions, Kind, One, Surroundings
from aed_daemon.config import Config
from aed_daemon.config_file import check_against_model
from aed_daemon.control.host import DaemonHost
from aed_daemon.control.inbox import Inbox
from aed_daemon.control.remote_control import RemoteControl
from aed_daemon.control.settings import RemoteSettings
from aed_daemon.errors import AedError
from aed_daemon.figures import Figures, SourceFigures
from aed_daemon.health import ClockState, tidy_memory
from aed_daemon.logs import configure
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.notify import Notifier, ProgressWatch, SourceProgress
from aed_daemon.sinks.protocol import Health
from aed_daemon.source_workers import SourceWorkers, classifier_of
from aed_daemon.vitals import Vitals

if TYPE_CHECKING:  # the rest is imported while the devices open
    from aed_daemon.audio.child import Child
    from aed_daemon.outlet import Outlet

_log = structlog.get_logger(__name__)

_TURN_S = 0.25
_STARTING_TURN_S = 0.02
_LOOK_S = 10.0
"""Time between looks at the progress of everything, where no watchdog asks for another."""

_STOP_S = 5.0
"""Time for everything to end after SIGTERM."""


class Daemon:
    """Everything that runs, and its main loop.

    Parameters
    ----------
    config : Config
        What to do.
    reload : callable, optional
        Reads the configuration anew; raises ConfigError. Called for SIGHUP.
    companions : sequence of Companion
        Further parts that look on, for a live view.
    kinds : sequence of Kind
        Those that the configuration may ask for; none of them for a mere look.
    launched : mapping of str to Child, optional
        Capture processes that have been started already, by source.
    settings : RemoteSettings, optional
        What was set over MQTT in earlier runs; unset: nothing, and nothing is kept.
    state : Path, optional
        Folder for what must survive a restart; unset: nothing does.
    retry : bool
        False: a source that fails is not waited for; `run` raises its AudioError when all have ended.

    Attributes
    ----------
    workers : dict of str to SourceWorker
        The sources that are listened to.

    Raises
    ------
    ConfigError, ModelError
        From `run`: the only two that end it by themselves.
    """

    def __init__(
        self,
        config: Config,
        *,
        reload: Callable[[], Config] | None = None,
        companions: Sequence[Companion] = (),
        kinds: Sequence[Kind] = KINDS,
        retry: bool = True,
        launched: Mapping[str, Child] | None = None,
        settings: RemoteSettings | None = None,
        state: Path | None = None,
    ) -> None:
        self._state = state
        self._config = config
        self._retry = retry
        self._read_config = reload
        self._companions = Companions(companions, kinds)
        self._notifier = Notifier()
        self._watch = ProgressWatch()
        self._clock_state = ClockState()
        self._settings = settings or RemoteSettings()
        self._inbox = Inbox(on_arrival=self._stir)
        self._host = DaemonHost(self, self._settings, self._clock_state)
        self._control = RemoteControl(self._host, self._settings, self._inbox)
        self._vitals = Vitals()
        self._stirred: queue.SimpleQueue[None] = queue.SimpleQueue()  # fit for signal handlers
        self._stopping = threading.Event()
        self._reloading = threading.Event()
        self._sources = SourceWorkers(
            config,
            self._settings,
            self._vitals,
            self._clock_state,
            observer=self._companions,
            retry=retry,
            launched=launched,
        )
        self.workers = self._sources.running
        self._outlet: Outlet | None = None
        self._turns = 0
        self._turned_s = time.monotonic()
        self._ready = False
        self._health_due_s = 0.0
        self._looked_s = 0.0

    def stop(self) -> None:
        """Ask the main loop to end; from any thread or signal handler."""
        self._stopping.set()
        self._stir()

    def request_reload(self) -> None:
        """Ask the main loop to read the configuration anew; from any thread or signal handler."""
        self._reloading.set()
        self._stir()

    def _stir(self) -> None:
        """Have the main loop turn now; from any thread or signal handler."""
        if self._stirred.empty():
            self._stirred.put(None)

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT end it, SIGHUP reloads; only from the main thread."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.request_reload())

    def run(self) -> None:
        """Listen until stopped, or until every source has come to its end."""
        model_path = self._config.model.path or DEFAULT_MODEL
        manifest = load_manifest(model_path)
        check_against_model(self._config, manifest)
        try:
            # Devices take their time to open: capture begins first, the ring keeps what comes.
            self._settings.configure_sources(self._config.source)
            self._sources.capture(manifest.spec.sample_rate_hz)
            from aed_daemon.outlet import Outlet

            self.classifier = classifier_of(self._config)
            self._companions.adopt(self._companions.plan(self._surroundings))
            self._outlet = Outlet(
                self._config, self.classifier, extra=[self._companions], inbox=self._inbox, state=self._state
            )
            self._sources.publish_to(self._outlet, self.classifier)
            self._clock_state.refresh()
            self._control.configure(self._config, manifest)
            self._sources.listen()
            self._host.apply_listening()
            _log.info(
                "listening",
                sources=list(self.workers),
                model=manifest.name,
                engine=self.classifier.engine,
                hop_s=self._config.detection.hop_frames / manifest.spec.frames_per_second,
            )
            self._loop()
        finally:
            self._shut_down()
        for worker in self.workers.values():
            if worker.failure:
                raise worker.failure
            if worker.reader.error and not self._retry:
                raise worker.reader.error

    # Main loop

    def _loop(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self._stirred.get(timeout=_TURN_S if self._ready else _STARTING_TURN_S)
            self._turns, self._turned_s = self._turns + 1, time.monotonic()
            if self._reloading.is_set():
                self._reloading.clear()
                try:
                    self.reload_now()
                except AedError as error:
                    _log.error("reload_refused", error=str(error))
            self._control.turn()
            if step_s := self._clock_state.refresh():
                _log.warning("clock_was_set", by_s=round(step_s, 3), synchronised=self._clock_state())
            self._become_ready()
            self._look()
            self._vitals.tell_losses(self.workers.values())
            self._report_health()
            workers = self.workers.values()
            heard_out = all(worker.ended for worker in workers) and len(workers) == len(self._config.source)
            if heard_out or any(worker.failure for worker in workers):
                return

    def _become_ready(self) -> None:
        if self._ready:
            return
        counters = [worker.counters() for worker in self.workers.values()]
        heard = any(detection.hops > 0 for _, detection in counters)
        # Those that wait for a device, or have ended, keep nobody waiting for the start.
        coming = any(capture.state in ("opening", "running") for capture, _ in counters)
        if heard or not coming:
            self._ready = True
            self._notifier.ready(self._status())

    def _look(self) -> None:
        """See whether everything moves, for whoever asks, and feed the watchdog if it does."""
        interval_s = self._notifier.watchdog_interval_s
        now_s = time.monotonic()
        if now_s - self._looked_s < (_LOOK_S if interval_s is None else interval_s / 3):
            return
        self._looked_s = now_s
        sources = {}
        for worker in self.workers.values():
            capture, detection = worker.counters()
            sources[worker.name] = SourceProgress(
                state=capture.state, samples=capture.samples, hops=detection.hops
            )
        if self._watch.check(self._turns, sources):
            self._notifier.watchdog()
        elif interval_s is not None:
            _log.warning("no_progress", stuck=list(self._watch.stuck), hint="The watchdog is not fed.")

    def _report_health(self) -> None:
        now_s = time.monotonic()
        if now_s < self._health_due_s or self._outlet is None:
            return
        self._health_due_s = now_s + self._config.mqtt.health_interval_s
        self._outlet.health(self.health())
        self._vitals.begin_interval(self.workers.values())
        if self._ready:
            self._notifier.status(self._status())

    def _status(self) -> str:
        told = {"running": "listening", "listening_off": "switched off"}
        parts = [f"{name} {told.get(state, state)}" for name, state in self._host.source_states().items()]
        return f"{', '.join(parts)}; model {self.classifier.manifest.name} on {self.classifier.engine}"

    # For remote control, on the main loop's thread

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._config

    @property
    def outlet(self) -> Outlet:
        """Where everything goes; there once the main loop runs."""
        if self._outlet is None:
            raise RuntimeError("the daemon does not run yet")
        return self._outlet

    def companion(self, kind: type[One]) -> One | None:
        """Return the companion of a class, if the configuration has one."""
        return self._companions.of(kind)

    def health(self) -> Health:
        """Return how the daemon is; from any thread."""
        health = self._vitals.health(list(self.workers.values()))
        return replace(health, problems=self._companions.problems)

    def figures(self) -> Figures:
        """Return what every part has counted; from any thread."""
        workers = list(self.workers.items())
        return Figures(
            turn_age_s=time.monotonic() - self._turned_s,
            stuck=self._watch.stuck,
            states=self._host.source_states(),
            sources={name: SourceFigures.of(worker) for name, worker in workers},
            delivery=self._outlet.figures() if self._outlet else None,
            failures=self._companions.failures,
            uptime_s=self._vitals.uptime_s,
        )

    def open_source(self, name: str) -> None:
        """Listen to a source that is silent."""
        self._sources.open(name, self.classifier.manifest.spec.sample_rate_hz)

    def close_source(self, name: str, why: str) -> None:
        """Close the device of a source, if it is open, and say why."""
        self._sources.close(name)
        self.outlet.availability(name, False, why)

    # Reload and end

    def reload_now(self) -> bool:
        """Take over a changed configuration; False where there is none to read.

        Raises
        ------
        AedError
            For one with a fault; nothing has changed then.
        """
        if self._read_config is None:
            return False
        self._notifier.reloading()
        try:
            self._take_over(self._read_config())
        finally:
            self._notifier.ready(self._status())
            tidy_memory()
        return True

    def _take_over(self, config: Config) -> None:
        manifest = load_manifest(config.model.path or DEFAULT_MODEL)
        check_against_model(config, manifest)
        classifier = classifier_of(config)
        before = self._config, self.classifier
        self._config, self.classifier = config, classifier
        try:
            companions = self._companions.plan(self._surroundings)
            self.outlet.exchange(before[0], config, classifier)
        except AedError:
            self._config, self.classifier = before
            raise
        self._companions.adopt(companions)
        if before[0].log != config.log:
            configure(config.log)
        self._control.configure(config, manifest)
        self._sources.exchange(config, classifier, manifest.spec.sample_rate_hz)
        self._host.apply_listening()
        _log.info("reloaded", sources=list(self.workers))

    def _surroundings(self, others: tuple[Companion, ...]) -> Surroundings:
        return Surroundings(
            config=self._config,
            classifier=self.classifier,
            state=self._state,
            health=self.health,
            source_states=self._host.source_states,
            detection=lambda source: self._settings.detection(source, self._config.detection),
            others=others,
            figures=self.figures,
        )

    def _shut_down(self) -> None:
        self._notifier.stopping()
        deadline_s = time.monotonic() + _STOP_S
        self._sources.stop()
        if self._outlet:
            self._outlet.close(max(0.5, deadline_s - time.monotonic()))
        self._companions.end(max(0.5, deadline_s - time.monotonic()))
