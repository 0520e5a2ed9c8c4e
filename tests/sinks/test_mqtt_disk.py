"""MqttSink and the outbox on disk, against a real mosquitto, over restarts of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.sinks.protocol import Health
from tests.mosquitto import Mosquitto, Subscriber, free_port
from tests.sinks.disks import disk, small_disk
from tests.sinks.parts import BASE, EVENTS, Daemon, first_deliveries, login, running
from tests.sinks.test_disk_trouble import fill_up
from tests.waiting import wait_for

pytestmark = pytest.mark.system

HEALTH = Health(None, None, None, 0, 0, 0, 0.0)


@contextmanager
def process(broker: Mosquitto | int, path: Path, **changes: Any) -> Iterator[Daemon]:
    """The output side of a daemon with its outbox on disk, from its start to its end."""
    with disk(path) as found, running(broker, found.outbox, **changes) as daemon:
        yield daemon


def test_a_night_without_a_broker_and_two_restarts_lose_nothing(tmp_path: Path) -> None:
    broker, path = Mosquitto(tmp_path / "broker"), tmp_path / "outbox.db"
    for part in range(2):
        with process(broker.port, path) as daemon:
            daemon.publish(500, type="end", label=f"part {part}")
            assert daemon.outbox.flush(20.0)
    with broker, Subscriber(broker, EVENTS) as subscriber, process(broker, path) as daemon:
        daemon.publish(10, type="end")
        wait_for(lambda: daemon.outbox.depth == 0, "delivered")
        wait_for(lambda: len(subscriber.messages) >= 1_010, "the last one")
        assert first_deliveries(subscriber.messages) == list(range(1_010))
        assert {message.json()["epoch"] for message in subscriber.messages} == {daemon.outbox.epoch}
        replayed = [message.json()["seq"] for message in subscriber.messages if message.json()["replayed"]]
        assert replayed == list(range(1_000))


def test_what_the_broker_refuses_is_put_aside_for_good(tmp_path: Path) -> None:
    path, acl = tmp_path / "outbox.db", f"topic write {BASE}/bridge/#\ntopic write {BASE}/hall/#"
    with Mosquitto(tmp_path / "broker", passwords=True, acl=acl) as broker, Subscriber(broker) as subscriber:
        with process(broker, path, **login(broker)) as daemon:
            daemon.publish(3, source="porch")
            daemon.publish(2, source="hall")
            wait_for(lambda: daemon.outbox.dead_letters == 3 and not daemon.outbox.depth, "settled")
        with process(broker, path, **login(broker)) as daemon:
            daemon.publisher.health(HEALTH)
            wait_for(lambda: subscriber.on(f"{BASE}/bridge/health"), "health")
            told = subscriber.on(f"{BASE}/bridge/health")[-1].json()
            assert (told["dead_letters"], told["outbox"], told["outbox_problem"]) == (3, "disk", None)


def test_a_full_disk_is_told_and_events_go_on(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "512k") as place,
        Mosquitto(tmp_path / "broker") as broker,
        Subscriber(broker) as subscriber,
        process(broker, place / "outbox.db") as daemon,
    ):
        daemon.publish(1, type="end")
        wait_for(lambda: subscriber.on(EVENTS), "delivered from the disk")
        first = daemon.outbox.epoch
        fill_up(place)
        daemon.publish(20, type="end", label="x" * 5_000)
        wait_for(lambda: len(subscriber.on(EVENTS)) >= 21, "delivered from memory")
        epochs = {message.json()["epoch"] for message in subscriber.on(EVENTS)[1:]}
        assert daemon.outbox.epoch in epochs
        daemon.publisher.health(HEALTH)
        topic = f"{BASE}/bridge/health"
        wait_for(lambda: subscriber.on(topic), "health")
        told = subscriber.on(topic)[-1].json()
        assert (told["outbox"], told["outbox_problem"]) == ("memory", "the disk is full")
        wait_for(
            lambda: subscriber.on(f"{BASE}/bridge/info")[-1].json()["epoch"] == daemon.outbox.epoch != first,
            "the new epoch is told",
        )


def test_the_broker_is_told_what_is_left_of_an_event_s_time(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with disk(tmp_path / "outbox.db") as found:
        found.append(2, type="end")
        with broker, Subscriber(broker, EVENTS) as subscriber:
            with running(broker, found.outbox, event_expiry_s=1_000.0):
                wait_for(lambda: len(subscriber.messages) >= 2, "delivered")
            left_s = [message.expiry_s for message in subscriber.messages]
            assert all(left is not None and 900 <= left <= 1_000 for left in left_s)


def test_what_is_going_on_ends_as_interrupted_for_subscribers_too(tmp_path: Path) -> None:
    path, port = tmp_path / "outbox.db", free_port()
    with process(port, path) as daemon:
        daemon.publish(1)
        assert daemon.outbox.flush(20.0)
    with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker) as subscriber, process(broker, path):
        wait_for(lambda: len(subscriber.on(EVENTS)) >= 2, "start and end")
        start, end = (message.json() for message in subscriber.on(EVENTS))
        assert (start["id"], start["seq"] + 1) == (end["id"], end["seq"])
        assert (end["type"], end["reason"]) == ("end", "interrupted")
        assert (start["replayed"], end["replayed"]) == (True, False)
        subscriber.wait_for(f"{BASE}/porch/class/dog/state", "OFF")
