"""The daemon as a process, killed in the middle of a sound: every event arrives, none is left open."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.mosquitto import Mosquitto, Subscriber
from tests.process import Daemon, toml
from tests.sounds import soundscape, write_wav
from tests.waiting import wait_for

pytestmark = pytest.mark.system


def looped(path: Path, name: str = "porch") -> str:
    return f'name = "{name}"\ntype = "file"\npath = "{path}"\nloop = true'


def state(folder: Path) -> dict[str, str]:
    return {"STATE_DIRECTORY": str(folder)}


def events(watcher: Subscriber) -> list[dict[str, Any]]:
    return [message.json() for message in watcher.on("aed/test/porch/event")]


def open_ids(found: list[dict[str, Any]]) -> set[str]:
    return {event["id"] for event in found} - {event["id"] for event in found if event["type"] == "end"}


def test_killed_in_the_middle_of_a_sound(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "dog.wav", soundscape(1, 8.0))
    broker = Mosquitto(tmp_path / "broker")
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    with broker, Subscriber(broker) as watcher:
        config = toml([looped(wav)], broker.port)
        for folder in folders[:2]:
            seen = len(events(watcher))
            with Daemon(folder, config, env=state(tmp_path / "state")) as daemon:
                wait_for(lambda seen=seen: open_ids(events(watcher)[seen:]), "a sound goes on", 40.0)  # type: ignore[misc]
                daemon.send(signal.SIGKILL)
                daemon.wait_end()
        with Daemon(folders[2], config, env=state(tmp_path / "state")) as daemon:
            daemon.wait_ready()
            topic = "aed/test/bridge/health"
            wait_for(lambda: watcher.on(topic), "health")
            assert watcher.on(topic)[-1].json()["outbox"] == "disk"
            daemon.send(signal.SIGTERM)
            assert daemon.wait_end() == 0
        found = events(watcher)
    numbers = list(dict.fromkeys((event["epoch"], event["seq"]) for event in found))
    assert numbers == [(found[0]["epoch"], seq) for seq in range(len(numbers))], "in order, no holes"
    assert open_ids(found) == set()
    reasons = [event["reason"] for event in found if event["type"] == "end"]
    assert reasons.count("interrupted") >= 2
    for event in found:
        if event["reason"] == "interrupted":
            assert event["end_sample"] >= event["start_sample"]
            assert event["start"] <= event["end"] <= event["published"]
    assert {file.name for file in (tmp_path / "state").iterdir()} == {
        "history.db",
        "outbox.db",
        "published.json",
    }


def test_a_reload_keeps_what_waits_and_moves_it_to_another_path(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "dog.wav", soundscape(1, 8.0))
    broker = Mosquitto(tmp_path / "broker")  # not started yet
    new = tmp_path / "elsewhere" / "events.db"
    with Daemon(tmp_path, toml([looped(wav)], broker.port), env=state(tmp_path / "state")) as daemon:
        daemon.wait_ready()
        stored = tmp_path / "state" / "outbox.db-wal"
        wait_for(lambda: b"Dog" in stored.read_bytes(), "an event is stored", 30.0)
        more = f"[outbox]\npath = {json.dumps(str(new))}"
        daemon.config.write_text(toml([looped(wav)], broker.port, more=more))
        daemon.send(signal.SIGHUP)
        wait_for(lambda: "outbox_moved" in daemon.log, "moved")
        assert not (tmp_path / "state" / "outbox.db").exists()
        with broker, Subscriber(broker) as watcher:
            wait_for(lambda: len({event["epoch"] for event in events(watcher)}) == 2, "both epochs", 60.0)
            assert events(watcher)[0]["seq"] == 0
            daemon.send(signal.SIGTERM)
            assert daemon.wait_end() == 0
            assert open_ids(events(watcher)) == set()
    assert new.exists()
