"""The recording proxy between a real client and a real broker."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

import pytest

from aed_daemon.config import MqttConfig
from aed_daemon.sinks.credentials import Credentials
from aed_daemon.sinks.mqtt import Connection
from benchmarks.mqtt_recorder import Recorder
from tests.mosquitto import PASSWORD, USER, Mosquitto, Subscriber
from tests.test_mqtt_packets import CONNECT_5, made
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("protocol", "refused", "unheard"), [("5", 0x87, 0x10), ("3.1.1", 0, 0)])
def test_it_has_what_was_published_and_what_the_broker_said_to_it(
    tmp_path: Path, protocol: Literal["5", "3.1.1"], refused: int, unheard: int
) -> None:
    broker = Mosquitto(tmp_path, passwords=True, acl="topic write heard\ntopic write unheard\n")
    with broker, Subscriber(broker, "heard") as subscriber, Recorder(broker.port) as recorder:
        config = MqttConfig(enabled=True, host="127.0.0.1", port=recorder.port, protocol=protocol)
        client = Connection(config, Credentials(USER, PASSWORD, None), "somebody")
        client.open()
        for topic in ("heard", "unheard", "forbidden"):
            client.publish(topic, topic * 50, qos=1, retain=False)
            wait_for(lambda: client.pump(0.1), "acknowledged")
        client.publish("heard", "once", qos=0, retain=False)
        wait_for(lambda: client.pump(0.05) or len(subscriber.on("heard")) == 2, "the last one")
        client.close()
        found = [(one.message.topic, one.message.qos, one.code) for one in recorder.passed]
        assert found == [
            ("heard", 1, 0), ("unheard", 1, unheard), ("forbidden", 1, refused), ("heard", 0, None)
        ]  # fmt: skip
        assert recorder.passed[1].message.payload == b"unheard" * 50
        assert recorder.faults == []


def test_half_a_message_is_none_and_no_broker_is_told_as_such(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Recorder(broker.port) as recorder:
        message = made(b"a", b"whole", 1, 5)
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=10.0) as client:
            client.sendall(CONNECT_5 + message + message[:-1])
            wait_for(lambda: recorder.passed and recorder.passed[0].code is not None, "acknowledged")
        assert [one.message.payload for one in recorder.passed] == [b"whole"]
        broker.kill()
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=10.0) as client:
            assert client.recv(1) == b""
        broker.start()
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=10.0) as client:
            client.sendall(CONNECT_5)
            assert client.recv(1) == b"\x20", "CONNACK"
