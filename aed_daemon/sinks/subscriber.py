"""EventSubscriber: what a reader of the events looks like; the demonstration prints what it receives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from aed_daemon.events import Event

_STATE_OFFLINE = b'"offline"'


class EventSubscriber:
    """Receives the events of one node from a broker on this machine.

    Parameters
    ----------
    port : int
        Port of the broker on the loopback interface.
    prefix, node : str
        First parts of the topics.
    on_event : callable
        Called with every event, in the subscriber's thread.
    """

    def __init__(self, port: int, prefix: str, node: str, on_event: Callable[[Event], None]) -> None:
        self._topics = [(f"{prefix}/{node}/+/event", 1), (f"{prefix}/{node}/bridge/state", 1)]
        self._on_event = on_event
        self._subscribed, self._offline = threading.Event(), threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._received
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def ready(self, timeout_s: float) -> bool:
        """Wait until nothing that is published from now on is missed."""
        return self._subscribed.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Wait for the daemon's goodbye, behind which no event can be, then end."""
        self._offline.wait(timeout_s)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topics)

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/event"):
            self._on_event(Event.model_validate_json(message.payload))
        elif _STATE_OFFLINE in message.payload:
            self._offline.set()
