"""Outlet: the publisher that the pipelines see, which a reload can exchange under them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from aed_daemon import __version__
from aed_daemon.config import SCHEMA_VERSION, Config
from aed_daemon.config_file import located
from aed_daemon.errors import ConfigError
from aed_daemon.events import Event
from aed_daemon.inference import Classifier
from aed_daemon.loud import LABEL as LOUD_LABEL
from aed_daemon.manifest import LOUD_SOUND, ModelManifest
from aed_daemon.publisher import Publisher
from aed_daemon.rules import class_rules
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import BridgeInfo, Health, Sink, SourceLevel

_log = structlog.get_logger(__name__)

_STDOUT_LINES = 10_000
"""Events kept for a reader of standard output that is slow."""


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
    """

    def __init__(self, config: Config, classifier: Classifier, *, extra: Sequence[Sink] = ()) -> None:
        self._extra = extra
        self._lock = threading.Lock()
        self._states: dict[str, tuple[bool, str | None]] = {}
        self._outbox = _outbox(config)
        self._publisher, begin = self._make(config, classifier, self._outbox)
        begin()

    def exchange(self, config: Config, classifier: Classifier) -> None:
        """Publish as another configuration says from now on; events that wait are kept.

        Raises
        ------
        ConfigError
            For a password or certificate that cannot be read; nothing has changed then.
        """
        # An outbox that kept nothing has nothing to continue: a broker that is new begins at 0.
        outbox = self._outbox if self._outbox.capacity else _outbox(config)
        publisher, begin = self._make(config, classifier, outbox)
        with self._lock:
            before, self._publisher, self._outbox = self._publisher, publisher, outbox
            states = dict(self._states)
        before.close(2.0)
        begin()  # after the goodbye: two connections with one client id would throw each other out
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

    def health(self, health: Health) -> None:
        """Publish how the daemon is."""
        self._publisher.health(health)

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered in time."""
        self._publisher.close(timeout_s)

    def _make(
        self, config: Config, classifier: Classifier, outbox: MemoryOutbox
    ) -> tuple[Publisher, Callable[[], None]]:
        """Return a publisher, and what makes it connect."""
        sinks: list[Sink] = list(self._extra)
        begin: Callable[[], None] = _nothing
        if config.output.jsonl and sys.stdout is None:
            _log.error(
                "standard_output_is_closed", hint="Set output.jsonl = false, or give it somewhere to go."
            )
        elif config.output.jsonl:
            from aed_daemon.sinks.jsonl import JsonLinesSink

            sinks.append(JsonLinesSink(sys.stdout, _STDOUT_LINES))
        if config.mqtt.enabled:
            from aed_daemon.sinks.mqtt_sink import MqttSink

            info = _info(config, classifier, outbox.epoch)
            try:
                mqtt = MqttSink(config.mqtt, config.node, info, outbox)
            except ConfigError as error:
                raise located(error, config) from None
            begin = mqtt.start
            sinks.append(mqtt)
        return Publisher(outbox, sinks), begin


def _nothing() -> None:
    """There is nothing to connect to."""


def _outbox(config: Config) -> MemoryOutbox:
    # Without a broker nobody would ever fetch an event: number them, and keep none.
    return MemoryOutbox(config.mqtt.queue_events if config.mqtt.enabled else 0)


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
