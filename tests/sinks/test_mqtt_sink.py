"""MqttSink against a real mosquitto."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aed_daemon.sinks.delivery import Delivery
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import Health, SourceLevel
from tests.mosquitto import PASSWORD, USER, Message, Mosquitto, Subscriber, free_port, wait_for
from tests.sinks.parts import BASE, INFO, Daemon, draft, running, settings
from tests.sinks.relay import Relay

pytestmark = pytest.mark.system

EVENTS = f"{BASE}/porch/event"
LEVEL = SourceLevel("porch", -30.0, -20.0, -60.0, False)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as found:
        yield found


def numbers(messages: list[Message]) -> list[int]:
    return [message.json()["seq"] for message in messages]


def first_deliveries(messages: list[Message]) -> list[int]:
    """The numbers in order of first arrival, as a subscriber that drops repetitions sees them."""
    return list(dict.fromkeys(numbers(messages)))


def test_everything_retained_is_there_for_a_late_subscriber(broker: Mosquitto) -> None:
    with running(broker) as daemon:
        daemon.publisher.availability("porch", True)
        daemon.publisher.availability("hall", False, "device_lost")
        daemon.publisher.event(draft(type="start", class_="rain", label="Rain"))
        daemon.publisher.health(Health(0.1, 2.0, 80.0, 0, 0, 1, 5.0))
        wait_for(lambda: daemon.outbox.depth == 0 and daemon.sink.connected, "delivered")
        with Subscriber(broker) as late:
            late.wait_for(f"{BASE}/bridge/state", '{"state":"online"}')
            late.wait_for(f"{BASE}/porch/availability", '{"state":"online"}')
            late.wait_for(f"{BASE}/hall/availability", '{"state":"offline","reason":"device_lost"}')
            late.wait_for(f"{BASE}/porch/class/rain/state", "ON")
            for source in INFO.sources:
                for slug in INFO.classes:
                    if (source, slug) != ("porch", "rain"):
                        late.wait_for(f"{BASE}/{source}/class/{slug}/state", "OFF")
            wait_for(lambda: late.on(f"{BASE}/porch/class/rain/attributes"), "attributes")
            assert late.on(f"{BASE}/porch/class/rain/attributes")[-1].json()["score_max"] == 0.97
            info = late.on(f"{BASE}/bridge/info")[-1].json()
            assert info["epoch"] == daemon.outbox.epoch
            assert info["model"] == {"name": "yamnet256-esc10", "sha256": "0" * 64}
            assert info["classes"]["dog"] == "Dog"
            wait_for(lambda: late.on(f"{BASE}/bridge/health"), "health")
            assert all(message.retain for message in late.messages)
            assert not late.on(EVENTS), "events are never retained"


def test_an_end_sets_the_class_off_again(broker: Mosquitto) -> None:
    with Subscriber(broker) as subscriber, running(broker) as daemon:
        daemon.publisher.event(draft(type="start"))
        subscriber.wait_for(f"{BASE}/porch/class/dog/state", "ON")
        daemon.publisher.event(draft(type="end"))
        subscriber.wait_for(f"{BASE}/porch/class/dog/state", "OFF")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_arrive_in_order_with_consecutive_numbers(broker: Mosquitto, protocol: str) -> None:
    with Subscriber(broker, EVENTS) as subscriber, running(broker, protocol=protocol) as daemon:
        daemon.publish(500)
        wait_for(lambda: len(subscriber.messages) >= 500, "500 events")
        assert numbers(subscriber.messages) == list(range(500))
        assert {message.qos for message in subscriber.messages} == {1}
        event = subscriber.messages[0].json()
        assert event["epoch"] == daemon.outbox.epoch
        assert event["replayed"] is False
        wait_for(lambda: daemon.outbox.depth == 0, "the outbox is empty")


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


def test_the_last_will_says_offline_when_the_process_is_killed(broker: Mosquitto, tmp_path: Path) -> None:
    program = (
        "import sys, time; from tests.sinks.parts import *\n"
        f"with running({broker.port}) as daemon: time.sleep(60)\n"
    )
    with Subscriber(broker, f"{BASE}/bridge/state") as subscriber:
        child = subprocess.Popen([sys.executable, "-c", program])
        try:
            subscriber.wait_for(f"{BASE}/bridge/state", '{"state":"online"}')
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        subscriber.wait_for(f"{BASE}/bridge/state", '{"state":"offline"}')


def test_close_drains_and_says_offline(broker: Mosquitto) -> None:
    with Subscriber(broker) as subscriber, running(broker) as daemon:
        daemon.publish(300)
        daemon.publisher.close(5.0)
        assert daemon.outbox.depth == 0
        subscriber.wait_for(f"{BASE}/bridge/state", '{"state":"offline"}')
        assert numbers(subscriber.on(EVENTS)) == list(range(300))
        assert subscriber.messages[-1].topic == f"{BASE}/bridge/state", "the last word"


def test_close_without_a_broker_keeps_to_its_time() -> None:
    with running(free_port()) as daemon:
        daemon.publish(10)
        began = time.monotonic()
        daemon.publisher.close(0.5)
        assert time.monotonic() - began < 2.0


def test_levels_come_at_most_once_a_second(broker: Mosquitto) -> None:
    with Subscriber(broker) as subscriber, running(broker) as daemon:
        wait_for(lambda: daemon.sink.connected, "connected")
        topic = f"{BASE}/porch/level"
        began = time.monotonic()
        step = 0
        while len(subscriber.on(topic)) < 2:
            daemon.publisher.level(SourceLevel("porch", -30.0 - step, float("-inf"), -60.0, False))
            step += 1
            time.sleep(0.01)  # the rate at which a pipeline reports, not a wait for something
            assert time.monotonic() - began < 15
        assert time.monotonic() - began >= 0.95
        assert subscriber.on(topic)[0].json() == {
            "rms_dbfs": subscriber.on(topic)[0].json()["rms_dbfs"],
            "peak_dbfs": -120.0,
            "floor_dbfs": -60.0,
            "clipped": False,
        }
        assert subscriber.on(topic)[1].json()["rms_dbfs"] < -32.0, "the newest, not the next"
        assert not subscriber.on(topic)[0].retain


def login(broker: Mosquitto, password: str = PASSWORD) -> dict[str, Any]:
    """The configuration's part on users."""
    path = broker.folder / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return {"host": "localhost", "username": USER, "password_file": path}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_arrive_over_tls(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path, tls=True) as broker, Subscriber(broker, EVENTS) as subscriber:
        tls = {"enabled": True, "ca_file": tmp_path / "ca.crt"}
        with running(broker, tls=tls, protocol=protocol, **login(broker)) as daemon:
            daemon.publish(300)
            wait_for(lambda: len(subscriber.messages) >= 300, "300 events")
            assert numbers(subscriber.messages) == list(range(300))
            wait_for(lambda: daemon.outbox.depth == 0, "the outbox is empty")


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


def test_everything_retained_is_published_again_to_a_broker_that_forgot_it(broker: Mosquitto) -> None:
    with running(broker) as daemon:
        daemon.publisher.availability("porch", True)
        daemon.publisher.event(draft(type="start"))
        daemon.publisher.health(Health(0.1, None, None, 0, 0, 1, 5.0))
        wait_for(lambda: daemon.outbox.depth == 0, "delivered")
        broker.restart()
        with Subscriber(broker) as late:
            late.wait_for(f"{BASE}/bridge/state", '{"state":"online"}')
            late.wait_for(f"{BASE}/porch/availability", '{"state":"online"}')
            late.wait_for(f"{BASE}/porch/class/dog/state", "ON")
            late.wait_for(f"{BASE}/hall/class/rain/state", "OFF")
            wait_for(lambda: late.on(f"{BASE}/bridge/info"), "info")
            topic = f"{BASE}/bridge/health"
            wait_for(lambda: late.on(topic) and late.on(topic)[-1].json()["reconnects"] == 1, "health")


def test_what_was_on_when_the_last_process_died_is_off_at_the_next_start(broker: Mosquitto) -> None:
    with Subscriber(broker) as subscriber:
        with running(broker) as daemon:
            daemon.publisher.event(draft(type="start"))
            subscriber.wait_for(f"{BASE}/porch/class/dog/state", "ON")
        with running(broker):
            subscriber.wait_for(f"{BASE}/porch/class/dog/state", "OFF")


def test_a_new_epoch_of_the_outbox_is_told(broker: Mosquitto) -> None:
    class Renewed(MemoryOutbox):
        current = "00000001"

        @property
        def epoch(self) -> str:
            return self.current

    outbox = Renewed(10)
    topic = f"{BASE}/bridge/info"
    with Subscriber(broker) as subscriber, running(broker, outbox) as daemon:
        wait_for(lambda: subscriber.on(topic), "info")
        outbox.current = "00000002"  # as a disk outbox does that lost its store
        daemon.publish(1)
        wait_for(lambda: subscriber.on(topic)[-1].json()["epoch"] == "00000002", "the new epoch")


def test_two_daemons_with_one_id_are_told_so(broker: Mosquitto) -> None:
    with capture_logs() as logs, running(broker) as first:
        wait_for(lambda: first.sink.connected, "connected")
        with running(broker):
            wait_for(lambda: any("mqtt.client_id" in str(log) for log in list(logs)), "told")


def test_it_can_be_closed_without_ever_having_started() -> None:
    daemon = Daemon(settings(free_port()), MemoryOutbox(10))
    daemon.publish(2)
    daemon.publisher.close(1.0)
    daemon.publisher.close(1.0)
