"""Commands over a real mosquitto, up to the inbox: bounds, access control, sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from aed_daemon.control.inbox import Command, Inbox
from aed_daemon.sinks.desk import Desk
from aed_daemon.sinks.mqtt import MAX_INCOMING_BYTES, Incoming
from aed_daemon.sinks.mqtt_sink import MqttSink
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.topics import Topics
from tests.mosquitto import Mosquitto, Publisher, Subscriber
from tests.sinks.parts import BASE, INFO, NODE, settings
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@contextmanager
def listening(broker: Mosquitto, inbox: Inbox, **changes: Any) -> Iterator[MqttSink]:
    sink = MqttSink(settings(broker, **changes), NODE, INFO, MemoryOutbox(10), inbox=inbox)
    sink.start()
    try:
        wait_for(lambda: sink.settled, "the broker has everything, subscriptions included")
        yield sink
    finally:
        sink.close(2.0)


def test_what_does_not_fit_is_answered_at_once(broker: Mosquitto) -> None:
    inbox = Inbox(capacity=2)
    with Subscriber(broker) as watcher, listening(broker, inbox), Publisher(broker) as somebody:
        for number in range(4):
            payload = json.dumps({"transaction": number})
            somebody.publish(f"{BASE}/bridge/request/reload", payload)
        somebody.publish(f"{BASE}/porch/listening/set", "OFF")
        answers = f"{BASE}/bridge/response/reload"
        wait_for(lambda: watcher.on(f"{BASE}/bridge/response/listening"), "the last answer")
        told = [message.json() for message in watcher.on(answers)]
        assert [answer["transaction"] for answer in told] == [2, 3]
        assert {answer["status"] for answer in told} == {"error"}
        assert "busy" in told[0]["error"]
        assert [inbox.take() for _ in range(3)] == [
            Command("bridge/request/reload", b'{"transaction": 0}'),
            Command("bridge/request/reload", b'{"transaction": 1}'),
            None,
        ]


def test_subscriptions_come_again_with_every_connection(broker: Mosquitto) -> None:
    inbox = Inbox()
    with listening(broker, inbox) as sink:
        broker.restart()
        wait_for(lambda: sink.reconnects == 1, "connected again")

        def heard() -> Command | None:
            with Publisher(broker) as somebody:
                somebody.publish(f"{BASE}/porch/class/dog/threshold/set", b"\xff\x00")
            return inbox.take()

        wait_for(heard, "a command")


class Refusing:
    """A broker's answer that mosquitto never gives: its access control lists let everybody subscribe."""

    def subscribe(self, topics: list[str]) -> None:
        self.asked = topics

    def take_incoming(self) -> list[Incoming]:
        return []

    def take_refused(self) -> list[str]:
        return self.asked[:1]


def test_a_subscription_that_is_refused_is_told_once() -> None:
    connection = Refusing()
    desk = Desk(Topics("aed", NODE), Inbox(), "homeassistant/status", OncePer())
    desk.open(connection)
    assert connection.asked == [
        f"{BASE}/bridge/request/+",
        f"{BASE}/+/class/+/threshold/set",
        f"{BASE}/+/listening/set",
        "homeassistant/status",
    ]
    with capture_logs() as logs:
        for _ in range(2):
            desk.receive(connection)
    (told,) = logs
    assert (told["event"], told["topic"]) == ("mqtt_subscription_refused", f"{BASE}/bridge/request/+")


def test_a_huge_command_does_not_reach_the_daemon(broker: Mosquitto) -> None:
    inbox = Inbox()
    with listening(broker, inbox) as sink, Publisher(broker) as somebody:
        somebody.publish(f"{BASE}/bridge/request/reload", b" " * (2 * MAX_INCOMING_BYTES))
        somebody.publish(f"{BASE}/bridge/request/pause", b"{}")
        wait_for(lambda: inbox.waiting, "the next one")
        found = inbox.take()
        assert found is not None
        assert found.topic == "bridge/request/pause"
        assert sink.reconnects == 0
