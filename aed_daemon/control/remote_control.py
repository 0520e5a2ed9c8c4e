"""RemoteControl: carries out what comes over MQTT, on the main loop's thread, and answers everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from aed_daemon.config import Config
from aed_daemon.control.inbox import Command, Inbox
from aed_daemon.control.requests import (
    CaptureClip,
    LogLevel,
    LogLevelRequest,
    Nothing,
    Options,
    Pause,
    RequestError,
    TestEvent,
    answer_topic,
    checked,
    checked_threshold,
    parse_object,
    parse_switch,
    parse_threshold,
    response,
)
from aed_daemon.control.settings import RemoteSettings
from aed_daemon.errors import AedError
from aed_daemon.manifest import ModelManifest
from aed_daemon.rules import thresholds
from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

_PER_TURN = 200
"""Most commands in one turn of the main loop, so that a flood of them does not stop it."""


class Host(Protocol):
    """What the daemon does for a command."""

    @property
    def source_names(self) -> Sequence[str]:
        """The configuration's sources."""

    @property
    def log_level(self) -> LogLevel:
        """Least severity that is logged."""

    def set_log_level(self, level: LogLevel) -> None:
        """Log more or less."""

    def apply_listening(self) -> None:
        """Open and close devices as the settings say."""

    def apply_thresholds(self, source: str) -> None:
        """Detect with the thresholds of the settings from now on."""

    def reload_or_refuse(self) -> None:
        """Read the configuration anew; AedError where it is refused."""

    def report(self) -> dict[str, Any]:
        """Return health, and the state of each source."""

    def test_event(self, source: str) -> str:
        """Publish a test event and return its id."""

    def capture_clip(self, source: str, duration_s: float) -> dict[str, Any]:
        """Record what a source hears now; return the clip's id and where it will be."""

    def retain(self, topic: str, payload: str) -> None:
        """Publish, retained; the topic is below prefix/node/."""

    def respond(self, topic: str, payload: str) -> None:
        """Publish, not retained."""


class _Answer(NamedTuple):
    topic: str
    transaction: str | int | float | None
    data: dict[str, Any]
    error: str | None


class RemoteControl:
    """Takes commands from an inbox and has the daemon do them.

    What the commands of one turn have set is kept, carried out and answered at the turn's end, in
    this order and once: a flood of them costs a write and a reopening a turn, not one each.

    Parameters
    ----------
    host : Host
        The daemon.
    settings : RemoteSettings
        What was set.
    inbox : Inbox
        Where commands wait.
    """

    def __init__(self, host: Host, settings: RemoteSettings, inbox: Inbox) -> None:
        self._host, self._settings, self._inbox = host, settings, inbox
        if settings.problem:
            _log.warning("remote_settings_lost", problem=settings.problem)
        self._quiet = OncePer()
        self._touched: dict[str, None] = {}
        self._requests: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "health_check": self._health_check,
            "reload": self._reload,
            "pause": self._pause,
            "options": self._options,
            "test_event": self._test_event,
            "capture_clip": self._capture_clip,
            "log_level": self._log_level,
        }

    def turn(self) -> None:
        """Do what waits, and end the pauses that are over."""
        answers: list[_Answer] = []
        while len(answers) < _PER_TURN and (command := self._inbox.take()) is not None:
            answers.append(self._do(command))
        self._touched |= dict.fromkeys(self._settings.expire())
        kept = self._settle()
        for topic, transaction, data, error in answers:
            shown = {**data, "kept": kept} if "kept" in data else data
            self._host.respond(topic, response(transaction, shown, error))

    def _settle(self) -> bool:
        """Keep and carry out what has been set; return whether a restart will find it."""
        if not self._touched:
            return True
        touched, self._touched = list(self._touched), {}
        kept = self._settings.save()
        if (held := self._quiet.due("set")) is not None:
            _log.info("set_remotely", sources=touched, not_shown=held)
        self._host.apply_listening()
        for source in touched:
            self._host.apply_thresholds(source)
            self._publish_states_of(source)
        return kept

    def configure(self, config: Config, manifest: ModelManifest) -> None:
        """Drop what the configuration has changed since it was set, and publish what holds."""
        self._settings.configure_sources(config.source)
        self._settings.configure_thresholds(thresholds(config.detection, manifest))
        if overridden := self._settings.take_overridden():
            _log.info("configuration_wins", over=overridden)
            self._settings.save()
        for source in self._host.source_names:
            self._publish_states_of(source)

    def _publish_states_of(self, source: str) -> None:
        state = "ON" if self._settings.listening(source) else "OFF"
        self._host.retain(f"{source}/listening/state", state)
        for slug, value in self._settings.thresholds(source).items():
            self._host.retain(f"{source}/class/{slug}/threshold/state", f"{value:.6g}")

    def _do(self, command: Command) -> _Answer:
        transaction = None
        data: dict[str, Any] = {}
        problem = None
        try:
            fields: dict[str, Any] = {}
            if command.topic.startswith("bridge/request/"):
                fields, transaction = parse_object(command.payload)
            data = self._action(command)(fields)
        except (RequestError, AedError) as error:
            problem = str(error)
            if (held := self._quiet.due("refused")) is not None:
                _log.info("command_refused", topic=command.topic[:200], error=problem, not_shown=held)
        except Exception as error:  # a defect must not end the daemon
            problem = f"unexpected: {type(error).__name__}"
            if (held := self._quiet.due("failed")) is not None:
                _log.exception("command_failed", topic=command.topic[:200], not_shown=held)
        return _Answer(answer_topic(command.topic), transaction, data, problem)

    def _action(self, command: Command) -> Callable[[dict[str, Any]], dict[str, Any]]:
        match command.topic.split("/"):
            case ["bridge", "request", name]:
                return self._requests.get(name, self._unknown)
            case [source, "class", slug, "threshold", "set"]:
                return lambda _: self._set_threshold(source, slug, command.payload)
            case [source, "listening", "set"]:
                return lambda _: self._set_listening(source, command.payload)
        return self._unknown

    # Requests

    def _unknown(self, _fields: dict[str, Any]) -> dict[str, Any]:
        raise RequestError(f"there is no such command; there are {', '.join(self._requests)}")

    def _health_check(self, fields: dict[str, Any]) -> dict[str, Any]:
        checked(Nothing, fields)
        return self._host.report()

    def _reload(self, fields: dict[str, Any]) -> dict[str, Any]:
        checked(Nothing, fields)
        self._host.reload_or_refuse()
        return {}

    def _pause(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = checked(Pause, fields)
        if not request.paused and request.duration_s is not None:
            raise RequestError("duration_s belongs to a pause, not to its end")
        names = self._host.source_names if request.source is None else [self._known(request.source)]
        for name in names:
            if request.paused:
                self._settings.pause(name, request.duration_s)
            else:
                self._settings.resume(name)
        self._touched |= dict.fromkeys(names)
        return {"paused": self._settings.pauses(), "kept": True}

    def _test_event(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = checked(TestEvent, fields)
        source = self._host.source_names[0] if request.source is None else self._known(request.source)
        return {"source": source, "id": self._host.test_event(source)}

    def _capture_clip(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = checked(CaptureClip, fields)
        source = self._host.source_names[0] if request.source is None else self._known(request.source)
        return {"source": source, **self._host.capture_clip(source, request.duration_s)}

    def _log_level(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = checked(LogLevelRequest, fields)
        if request.level is not None:
            self._host.set_log_level(request.level)
        return {"level": self._host.log_level}

    def _options(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Set all that is asked for, or nothing, and return how everything stands."""
        changes = checked(Options, fields).options
        for name, wanted in changes.sources.items():
            known = self._settings.thresholds(self._known(name))
            for slug, value in wanted.thresholds.items():
                self._check_class(slug, known)
                if value is not None:
                    checked_threshold(slug, value)
        for name, wanted in changes.sources.items():
            for slug, value in wanted.thresholds.items():
                self._settings.set_threshold(name, slug, value)
            if wanted.listening is not None:
                self._settings.set_listening(name, wanted.listening)
            self._touched[name] = None
        if changes.log_level is not None:
            self._host.set_log_level(changes.log_level)
        return {**self._all_options(), "kept": True}

    def _all_options(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "log_level": self._host.log_level,
            "sources": {
                name: {
                    "listening": settings.listening(name),
                    "thresholds": settings.thresholds(name),
                    "set_remotely": sorted(settings.remote_thresholds(name)),
                }
                for name in self._host.source_names
            },
            "paused": settings.pauses(),
        }

    # Topics of their own

    def _set_threshold(self, source: str, slug: str, payload: bytes) -> dict[str, Any]:
        self._check_class(slug, self._settings.thresholds(self._known(source)))
        value = parse_threshold(slug, payload)
        self._settings.set_threshold(source, slug, value)
        self._touched[source] = None
        return {"source": source, "class": slug, "threshold": value, "kept": True}

    def _set_listening(self, source: str, payload: bytes) -> dict[str, Any]:
        self._known(source)
        listening = parse_switch(payload)
        self._settings.set_listening(source, listening)
        self._touched[source] = None
        return {"source": source, "listening": listening, "kept": True}

    def _known(self, source: str) -> str:
        if source not in self._host.source_names:
            raise RequestError(f"there is no such source; there are {', '.join(self._host.source_names)}")
        return source

    @staticmethod
    def _check_class(slug: str, known: dict[str, float]) -> None:
        if slug not in known:
            raise RequestError(f"there is no such class; there are {', '.join(known)}")
