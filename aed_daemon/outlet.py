"""Outlet: the publisher that the pipelines see, which a reload can exchange under them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from aed_daemon import __version__
from aed_daemon.config import SCHEMA_VERSION, Config
from aed_daemon.config_file import located
from aed_daemon.errors import ConfigError
from aed_daemon.events import Event
from aed_daemon.figures import DeliveryFigures
from aed_daemon.inference import Classifier
from aed_daemon.loud import LABEL as LOUD_LABEL
from aed_daemon.manifest import LOUD_SOUND, ModelManifest
from aed_daemon.publisher import Publisher
from aed_daemon.rules import class_rules
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.outbox import MemoryOutbox, Outbox
from aed_daemon.sinks.protocol import BridgeInfo, Health, Sink, SourceLevel
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits
from aed_daemon.state_file import StateFile

if TYPE_CHECKING:
    from aed_daemon.control.inbox import Inbox
    from aed_daemon.sinks.mqtt_sink import MqttSink
    from aed_daemon.sinks.published import Published

_log = structlog.get_logger(__name__)

_STDOUT_LINES = 10_000
"""Events kept for a reader of standard output that is slow."""

_STORE_NAME = "outbox.db"
_COMMIT_S = 2.0
"""At the end, longest wait for the disk before the broker gets what is left of the time."""


class Outlet:
    """Takes events, levels and states for whatever publisher there is at the moment.

    What a source's state is, is remembered, and told to each new publisher.

    Parameters
    ----------
    config : Config
        Node, outputs and broker.
    classifier : Classifier
        Model and engine.
    extra : sequence of Sink
        Further sinks, for a live view.
    inbox : Inbox, optional
        Takes the commands of subscribers.
    state : Path, optional
        Folder for what must survive a restart; None: nothing does.
    """

    def __init__(
        self,
        config: Config,
        classifier: Classifier,
        *,
        extra: Sequence[Sink] = (),
        inbox: Inbox | None = None,
        state: Path | None = None,
    ) -> None:
        self._extra, self._inbox, self._state = extra, inbox, state
        self._published: Published | None = None
        self._lock = threading.Lock()
        self._states: dict[str, tuple[bool, str | None]] = {}
        self._outbox = _outbox(config, classifier)
        self._publisher, self._mqtt = self._make(config, classifier, self._outbox)
        if self._mqtt:
            self._mqtt.start()

    def exchange(self, before: Config, config: Config, classifier: Classifier) -> None:
        """Publish as another configuration says from now on, if it says so; events that wait are kept.

        Raises
        ------
        ConfigError
            For a password or certificate that cannot be read; nothing has changed then.
        """
        if _publishing(before) == _publishing(config):
            return
        outbox = self._outbox
        if isinstance(outbox, MemoryOutbox) and not outbox.capacity:
            # One that kept nothing has nothing to continue: a broker that is new begins at 0.
            outbox = _outbox(config, classifier)
        publisher, mqtt = self._make(config, classifier, outbox)
        _relocate(outbox, config)
        with self._lock:
            earlier, self._publisher, self._outbox = self._publisher, publisher, outbox
            self._mqtt = mqtt
            states = dict(self._states)
        earlier.close(2.0)
        if mqtt:
            mqtt.start()  # after the goodbye: two connections with one client id would throw each other out
        for source, (online, reason) in states.items():
            publisher.availability(source, online, reason)

    def event(self, draft: Event) -> None:
        """Publish an event under the next number."""
        with self._lock:
            self._publisher.event(draft)

    def level(self, level: SourceLevel) -> None:
        """Publish a level."""
        self._publisher.level(level)

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Publish that a source can be heard, or why it cannot."""
        with self._lock:
            self._states[source] = (online, reason)
            self._publisher.availability(source, online, reason)

    def retain(self, topic: str, payload: str) -> None:
        """Publish a retained message through the present publisher; topic below prefix/node/."""
        if self._mqtt:
            self._mqtt.retain(topic, payload)

    def respond(self, topic: str, payload: str) -> None:
        """Publish the answer to a command; topic below prefix/node/."""
        if self._mqtt:
            self._mqtt.respond(topic, payload)

    def health(self, health: Health) -> None:
        """Publish how the daemon is."""
        self._publisher.health(health)

    def figures(self) -> DeliveryFigures:
        """Return how events get out; from any thread."""
        with self._lock:
            publisher, outbox, mqtt = self._publisher, self._outbox, self._mqtt
        state = outbox.state
        return DeliveryFigures(
            outbox=state.kind,
            outbox_problem=state.problem,
            depth=outbox.depth,
            dead_letters=outbox.dead_letters,
            oldest_s=state.oldest_s,
            connected=mqtt.connected if mqtt else None,
            reconnects=mqtt.reconnects if mqtt else 0,
            failures=publisher.failures,
        )

    def close(self, timeout_s: float) -> None:
        """Store what was heard last, and deliver what can be delivered in time."""
        deadline_s = time.monotonic() + timeout_s
        self._outbox.flush(min(_COMMIT_S, timeout_s / 2))
        self._publisher.close(max(0.0, deadline_s - time.monotonic()))
        self._outbox.close(max(0.5, deadline_s - time.monotonic()))

    def _make(
        self, config: Config, classifier: Classifier, outbox: Outbox
    ) -> tuple[Publisher, MqttSink | None]:
        """Return a publisher, and the sink in it that is to be started, if there is one."""
        sinks: list[Sink] = list(self._extra)
        mqtt = None
        if config.output.jsonl and sys.stdout is None:
            _log.error(
                "standard_output_is_closed", hint="Set output.jsonl = false, or give it somewhere to go."
            )
        elif config.output.jsonl:
            from aed_daemon.sinks.jsonl import JsonLinesSink

            sinks.append(JsonLinesSink(sys.stdout, _STDOUT_LINES))
        if config.mqtt.enabled:
            from aed_daemon.sinks.mqtt_sink import MqttSink
            from aed_daemon.sinks.published import FILE_NAME, Published

            if self._published is None:
                self._published = Published(StateFile(self._state / FILE_NAME if self._state else None))
            info = _info(config, classifier, outbox.epoch)
            try:
                mqtt = MqttSink(
                    config.mqtt, config.node, info, outbox, inbox=self._inbox, published=self._published
                )
            except ConfigError as error:
                raise located(error, config) from None
            sinks.append(mqtt)
        return Publisher(outbox, sinks), mqtt


def _publishing(config: Config) -> object:
    """Return what an outlet depends on."""
    names = [source.name for source in config.source]
    return config.node, config.mqtt, config.outbox, config.output, config.detection, config.model, names


def _outbox(config: Config, classifier: Classifier) -> MemoryOutbox | DiskOutbox:
    if not config.mqtt.enabled:
        return MemoryOutbox(0)  # nobody would ever fetch an event: number them, and keep none
    limits, path = _limits(config), store_path(config)
    if path is None:
        return MemoryOutbox(limits.events, max_age_s=limits.age_s)
    return DiskOutbox(path, limits, Opener(classifier.manifest.spec.sample_rate_hz))


def store_path(config: Config) -> Path | None:
    """Return where events wait for the broker; None: in memory."""
    if not config.outbox.enabled:
        return None
    if config.outbox.path is not None:
        return config.outbox.path
    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(folder, _STORE_NAME) if folder else None


def _limits(config: Config) -> Limits:
    age_s = config.outbox.max_age_h * 3_600
    if config.mqtt.event_expiry_s:
        age_s = min(age_s, config.mqtt.event_expiry_s)
    return Limits(config.mqtt.queue_events, round(config.outbox.max_mb * 1e6), age_s)


def _relocate(outbox: Outbox, config: Config) -> None:
    path = store_path(config)
    if isinstance(outbox, DiskOutbox) and path is not None:
        outbox.relocate(path, _limits(config))
    elif config.mqtt.enabled and isinstance(outbox, DiskOutbox) != (path is not None):
        _log.warning("outbox_stays_where_it_is", hint="Restart to go from memory to disk or back.")


def _info(config: Config, classifier: Classifier, epoch: str) -> BridgeInfo:
    manifest = classifier.manifest
    return BridgeInfo(
        version=__version__,
        model_name=manifest.name,
        model_sha256=manifest.sha256,
        engine=classifier.engine,
        exact=classifier.exact,
        classes=published_classes(config, manifest),
        sources=tuple(source.name for source in config.source),
        config_schema=SCHEMA_VERSION,
        epoch=epoch,
    )


def published_classes(config: Config, manifest: ModelManifest) -> Mapping[str, str]:
    """Return the classes that events can have, slug to label."""
    classes = {rule.slug: rule.label for rule in class_rules(config.detection, manifest)}
    return {**classes, LOUD_SOUND: LOUD_LABEL} if config.detection.loud_sound.enabled else classes
