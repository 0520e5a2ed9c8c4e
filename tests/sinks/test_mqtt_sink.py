"""MqttSink against a real mosquitto: what a subscriber gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import Health, SourceLevel
from tests.mosquitto import Mosquitto, Subscriber, free_port
from tests.sinks.parts import (
    BASE,
    EVENTS,
    INFO,
    Daemon,
    draft,
    login,
    numbers,
    running,
    settings,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.system


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


def test_a_level_has_the_peak_of_all_that_it_stands_for(broker: Mosquitto) -> None:
    with Subscriber(broker) as subscriber, running(broker) as daemon:
        wait_for(lambda: daemon.sink.connected, "connected")
        topic = f"{BASE}/porch/level"
        daemon.publisher.level(SourceLevel("porch", -30.0, -20.0, -60.0, False))
        wait_for(lambda: subscriber.on(topic), "the first level")
        for peak_dbfs, clipped in ((-9.0, False), (0.0, True), (-12.0, False)):
            daemon.publisher.level(SourceLevel("porch", -31.0, peak_dbfs, -60.0, clipped))
        wait_for(lambda: len(subscriber.on(topic)) == 2, "the second level")
        second = subscriber.on(topic)[1].json()
        assert second == {"rms_dbfs": -31.0, "peak_dbfs": 0.0, "floor_dbfs": -60.0, "clipped": True}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_arrive_over_tls(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path, tls=True) as broker, Subscriber(broker, EVENTS) as subscriber:
        tls = {"enabled": True, "ca_file": tmp_path / "ca.crt"}
        with running(broker, tls=tls, protocol=protocol, **login(broker)) as daemon:
            daemon.publish(300)
            wait_for(lambda: len(subscriber.messages) >= 300, "300 events")
            assert numbers(subscriber.messages) == list(range(300))
            wait_for(lambda: daemon.outbox.depth == 0, "the outbox is empty")


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


def test_it_can_be_closed_without_ever_having_started() -> None:
    daemon = Daemon(settings(free_port()), MemoryOutbox(10))
    daemon.publish(2)
    daemon.publisher.close(1.0)
    daemon.publisher.close(1.0)
