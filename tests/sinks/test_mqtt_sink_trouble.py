"""MqttSink against a real mosquitto that is late, dies, hangs or refuses, and a network that is cut."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aed_daemon.sinks.delivery import Delivery
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import Health, SourceLevel
from tests.mosquitto import Mosquitto, Subscriber, free_port
from tests.sinks.parts import (
    BASE,
    EVENTS,
    first_deliveries,
    login,
    numbers,
    running,
)
from tests.sinks.relay import Relay
from tests.waiting import wait_for

pytestmark = pytest.mark.system


LEVEL = SourceLevel("porch", -30.0, -20.0, -60.0, False)


def test_a_broker_that_is_late_at_boot_gets_what_came_before_it(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with running(broker) as daemon:
        daemon.publish(50)
        wait_for(lambda: daemon.sink.problem is not None, "the first attempt failed")
        assert "nothing listens" in (daemon.sink.problem or "")
        broker.start()
        try:
            wait_for(lambda: daemon.outbox.depth == 0, "delivered")
            assert daemon.sink.reconnects == 0
            daemon.publisher.close(2.0)
        finally:
            broker.kill()


def test_a_killed_broker_loses_nothing_and_late_events_are_flagged(broker: Mosquitto) -> None:
    now = [0.0]
    outbox = MemoryOutbox(10_000, clock=lambda: now[0])
    with (
        Relay(broker.port) as relay,
        Subscriber(broker, EVENTS) as subscriber,
        running(relay.port, outbox) as daemon,
    ):
        daemon.publish(100)
        wait_for(lambda: outbox.depth == 0 and len(subscriber.messages) >= 100, "the first part")
        broker.kill()
        daemon.publish(100)
        now[0] = 60.0
        relay.down()  # until the subscriber is back: a broker that was killed knows of none
        broker.start()
        subscriber.ready()
        relay.up()
        daemon.publish(100)
        wait_for(lambda: outbox.depth == 0, "delivered")
        wait_for(lambda: 299 in numbers(subscriber.messages), "the last event")
        assert first_deliveries(subscriber.messages) == list(range(300))
        late = {message.json()["seq"] for message in subscriber.messages if message.json()["replayed"]}
        assert late == set(range(100, 200))
        assert daemon.sink.reconnects >= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_network_that_is_cut_in_mid_packet_loses_nothing(broker: Mosquitto, seed: int) -> None:
    chance = random.Random(seed)
    with (
        Relay(broker.port) as relay,
        Subscriber(broker, EVENTS) as subscriber,
        running(relay.port) as daemon,
    ):
        for part in range(4):
            relay.cut_after(chance.randrange(2_000, 150_000))
            daemon.publish(250)
            wait_for(lambda: daemon.outbox.depth == 0, f"part {part}", timeout_s=30)
        wait_for(lambda: 999 in numbers(subscriber.messages), "the last event")
        assert relay.cuts >= 2
        assert first_deliveries(subscriber.messages) == list(range(1_000))
        contents: dict[int, dict[str, Any]] = {}
        for message in subscriber.messages:
            event = message.json() | {"replayed": None}
            assert contents.setdefault(event["seq"], event) == event, "a repetition says the same"


def test_a_defect_does_not_end_delivery_for_good(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = Delivery.fill
    failures = iter([True, False])

    def fails_once(delivery: Delivery) -> None:
        if next(failures, False):
            raise RuntimeError("a defect")
        fill(delivery)

    monkeypatch.setattr(Delivery, "fill", fails_once)
    with capture_logs() as logs, running(broker) as daemon:
        daemon.publish(3)
        wait_for(lambda: daemon.outbox.depth == 0, "delivered after all")
    assert "mqtt_failed_unexpectedly" in [log["event"] for log in logs]


def test_a_full_outbox_announces_the_hole(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with running(broker, MemoryOutbox(10), reconnect_max_s=3600) as daemon:
        daemon.publish(25)
        broker.start()
        try:
            with Subscriber(broker) as subscriber:
                topic = f"{BASE}/bridge/outbox_dropped"
                wait_for(lambda: subscriber.on(topic), "the hole")
                epoch = daemon.outbox.epoch
                hole = {"epoch": epoch, "first_seq": 0, "last_seq": 14, "reason": "outbox_full"}
                assert [message.json() for message in subscriber.on(topic)] == [hole]
                wait_for(lambda: len(subscriber.on(EVENTS)) >= 10, "what was kept")
                assert numbers(subscriber.on(EVENTS)) == list(range(15, 25))
                wait_for(lambda: not daemon.outbox.holes(), "announced once")
        finally:
            daemon.publisher.close(2.0)
            broker.kill()


def test_close_without_a_broker_keeps_to_its_time() -> None:
    with running(free_port()) as daemon:
        daemon.publish(10)
        began = time.monotonic()
        daemon.publisher.close(0.5)
        assert time.monotonic() - began < 2.0


def test_a_wrong_password_is_a_state_said_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords=True) as broker, capture_logs() as logs:
        with running(broker, **login(broker, "a wrong guess")) as daemon:
            daemon.publish(5)
            wait_for(lambda: broker.log().count("not authorised") >= 2, "a second attempt")
            assert "bad credentials" in (daemon.sink.problem or "")
            assert "mqtt.username" in (daemon.sink.problem or "")
            assert not daemon.sink.connected
            assert daemon.outbox.depth == 5, "nothing is lost meanwhile"
            assert [log["event"] for log in logs] == ["mqtt_broker_unavailable"]
            daemon.publisher.close(0.1)
        assert "a wrong guess" not in str(logs)


def test_what_the_broker_may_not_take_is_put_aside_and_the_next_goes_on(tmp_path: Path) -> None:
    acl = f"topic write {BASE}/bridge/#\ntopic write {BASE}/hall/#"
    with (
        Mosquitto(tmp_path, passwords=True, acl=acl) as broker,
        Subscriber(broker) as subscriber,
        capture_logs() as logs,
        running(broker, **login(broker)) as daemon,
    ):
        for _ in range(20):
            daemon.publish(1, source="porch")
            daemon.publish(1, source="hall")
        wait_for(lambda: daemon.outbox.depth == 0, "the outbox is empty")
        wait_for(lambda: len(subscriber.on(f"{BASE}/hall/event")) >= 20, "the allowed half")
        assert numbers(subscriber.on(f"{BASE}/hall/event")) == list(range(1, 40, 2))
        assert subscriber.on(EVENTS) == []
        assert daemon.outbox.dead_letters == 20
        assert {letter.reason for letter in daemon.outbox.refused()} == {"Not authorized"}
        assert (
            len([log for log in logs if log["event"] == "mqtt_message_refused" and log["topic"] == EVENTS])
            == 1
        )
        daemon.publisher.health(Health(None, None, None, 0, 0, 40, 1.0))
        topic = f"{BASE}/bridge/health"
        wait_for(lambda: subscriber.on(topic), "health")
        assert subscriber.on(topic)[0].json()["dead_letters"] == 20


def test_an_event_larger_than_the_broker_takes_does_not_block(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, options="max_packet_size 4000") as broker,
        Subscriber(broker, EVENTS) as subscriber,
        running(broker) as daemon,
    ):
        daemon.publish(1, label="x" * 5_000)
        daemon.publish(1)
        wait_for(lambda: subscriber.messages, "the next one")
        assert numbers(subscriber.messages) == [1]
        assert daemon.outbox.dead_letters == 1
        assert daemon.sink.reconnects == 0


def test_nothing_blocks_while_the_broker_hangs(broker: Mosquitto) -> None:
    with Subscriber(broker, EVENTS) as subscriber, running(broker) as daemon:
        wait_for(lambda: daemon.sink.connected, "connected")
        broker.freeze()
        slowest = 0.0
        for _ in range(2_000):
            began = time.perf_counter()
            daemon.publish(1)
            daemon.publisher.level(LEVEL)
            slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 0.5, "a call waited for the broker"
        broker.thaw()
        wait_for(lambda: daemon.outbox.depth == 0, "delivered")
        wait_for(lambda: 1_999 in numbers(subscriber.messages), "the last event")
        assert first_deliveries(subscriber.messages) == list(range(2_000))


def test_a_broker_that_hangs_is_noticed_and_left(broker: Mosquitto) -> None:
    with running(broker) as daemon:
        wait_for(lambda: daemon.sink.connected, "connected")
        broker.freeze()
        daemon.publish(10)
        wait_for(lambda: not daemon.sink.connected, "noticed", timeout_s=30)
        assert daemon.outbox.depth == 10
        broker.thaw()
        wait_for(lambda: daemon.outbox.depth == 0, "delivered", timeout_s=30)


def test_close_keeps_to_its_time_while_the_broker_hangs(broker: Mosquitto) -> None:
    with running(broker) as daemon:
        wait_for(lambda: daemon.sink.connected, "connected")
        broker.freeze()
        daemon.publish(100)
        began = time.monotonic()
        daemon.publisher.close(0.5)
        assert time.monotonic() - began < 2.0
        broker.thaw()


def test_two_daemons_with_one_id_are_told_so(broker: Mosquitto) -> None:
    with capture_logs() as logs, running(broker) as first:
        wait_for(lambda: first.sink.connected, "connected")
        with running(broker):
            wait_for(lambda: any("mqtt.client_id" in str(log) for log in list(logs)), "told")
