"""Discovery and what is left retained, through a real mosquitto: put up, republished, cleared away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import HomeAssistantConfig
from aed_daemon.sinks import desk
from aed_daemon.sinks.homeassistant import discovery_topic
from aed_daemon.sinks.mqtt_sink import MqttSink
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import BridgeInfo
from aed_daemon.sinks.published import FILE_NAME, Published
from aed_daemon.sinks.topics import Topics
from aed_daemon.state_file import StateFile
from tests.mosquitto import Mosquitto, Publisher, Subscriber
from tests.sinks.parts import BASE, INFO, NODE, settings
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@contextmanager
def sink(broker: Mosquitto, folder: Path, info: BridgeInfo = INFO, **changes: Any) -> Iterator[MqttSink]:
    """Run a sink until it has published everything, and then the body."""
    published = Published(StateFile(folder / FILE_NAME))
    running = MqttSink(settings(broker, **changes), NODE, info, MemoryOutbox(10), published=published)
    for source in info.sources:
        for slug in info.classes:
            running.retain(f"{source}/class/{slug}/threshold/state", "0.5")
    running.start()
    try:
        wait_for(lambda: running.settled, "the broker has everything")
        yield running
    finally:
        running.close(2.0)


def held(broker: Mosquitto, topic: str = "#") -> dict[str, str]:
    """Return what the broker retains."""
    with Subscriber(broker, topic) as late, Publisher(broker) as publisher:
        publisher.publish("end/of/it", "x")  # behind everything retained
        if topic == "#":
            wait_for(lambda: late.on("end/of/it"), "the end")
        return {message.topic: message.payload for message in late.messages if message.retain}


def devices(broker: Mosquitto) -> dict[str, dict[str, Any]]:
    """Return the descriptions for Home Assistant, by the name of the device."""
    found = {}
    for topic, payload in held(broker).items():
        if topic.startswith("homeassistant/device/"):
            description = json.loads(payload)
            found[description["dev"]["name"]] = description
    return found


def remembered(folder: Path) -> int:
    """Return how many topics are known to hold something."""
    return len(json.loads((folder / FILE_NAME).read_text())["topics"])


TOPICS_OF_A_SOURCE = 2 + 3 * len(INFO.classes) + 1
TOPICS = 3 + 2 * TOPICS_OF_A_SOURCE


def test_every_source_is_a_device_and_goes_with_it(broker: Mosquitto, tmp_path: Path) -> None:
    with sink(broker, tmp_path):
        assert remembered(tmp_path) == TOPICS
        assert set(devices(broker)) == {f"{NODE} porch", f"{NODE} hall"}
    with sink(broker, tmp_path, replace(INFO, sources=("porch",))):
        assert remembered(tmp_path) == TOPICS - TOPICS_OF_A_SOURCE
        assert set(devices(broker)) == {f"{NODE} porch"}
        assert not [topic for topic in held(broker) if topic.startswith(f"{BASE}/hall/")]
    with sink(broker, tmp_path, replace(INFO, sources=("porch",)), homeassistant={"enabled": False}):
        assert remembered(tmp_path) == TOPICS - TOPICS_OF_A_SOURCE - 1
        assert devices(broker) == {}
        assert f"{BASE}/porch/class/dog/state" in held(broker)


def test_a_class_that_leaves_is_removed_and_may_come_back(broker: Mosquitto, tmp_path: Path) -> None:
    fewer = replace(INFO, classes={slug: INFO.classes[slug] for slug in ("dog", "loud_sound")})
    with sink(broker, tmp_path):
        assert remembered(tmp_path) == TOPICS
    for _ in range(2):  # Home Assistant may not have been there the first time
        with sink(broker, tmp_path, fewer):
            assert remembered(tmp_path) == TOPICS - 6
            cmps = devices(broker)[f"{NODE} porch"]["cmps"]
            assert cmps["class_rain"] == {"p": "binary_sensor"}
            assert cmps["threshold_rain"] == {"p": "number"}
            assert f"{BASE}/porch/class/rain/state" not in held(broker)
    with sink(broker, tmp_path):
        assert remembered(tmp_path) == TOPICS
        assert devices(broker)[f"{NODE} porch"]["cmps"]["class_rain"]["name"] == "Rain"


def test_everything_is_published_again_when_home_assistant_starts(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_AFTER_BIRTH_S", (0.1, 0.2))
    with sink(broker, tmp_path), Subscriber(broker) as watcher, Publisher(broker) as home_assistant:
        assert remembered(tmp_path) == TOPICS
        for other in ("offline", "ONLINE", ""):
            home_assistant.publish("homeassistant/status", other)
        wait_for(lambda: watcher.on(f"{BASE}/bridge/info"), "what is retained")
        before = len(watcher.on(f"{BASE}/bridge/info"))
        home_assistant.publish("homeassistant/status", "online")
        wait_for(lambda: len(watcher.on(f"{BASE}/bridge/info")) > before, "everything again")
        config = discovery_topic(HomeAssistantConfig(), Topics("aed", NODE), "porch")
        wait_for(lambda: any(not message.retain for message in watcher.on(config)), "the device again")
        assert len(watcher.on(f"{BASE}/bridge/info")) == before + 1


def test_a_retained_birth_is_none(broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_AFTER_BIRTH_S", (0.0, 0.0))
    with Publisher(broker) as home_assistant:
        home_assistant.publish("homeassistant/status", "online", retain=True)
    for protocol in ("5", "3.1.1"):
        with Subscriber(broker) as watcher, sink(broker, tmp_path, protocol=protocol) as running:
            topic = f"{BASE}/bridge/info"
            assert remembered(tmp_path) == TOPICS
            for turn in range(3):  # turns of its loop, in which it would have published again
                running.retain("porch/listening/state", str(turn))
                watcher.wait_for(f"{BASE}/porch/listening/state", str(turn))
            assert len([message for message in watcher.on(topic) if not message.retain]) == 1
