"""The whole daemon under remote control: commands over a real broker, answers, and what they change."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.control.settings import FILE_NAME
from tests.mosquitto import Mosquitto, Publisher, Subscriber
from tests.process import Daemon, toml
from tests.pulse_server import PulseServer
from tests.sounds import quiet, soundscape, to_s16
from tests.waiting import wait_for

pytestmark = pytest.mark.system

DEMO = 'name = "scape"\ntype = "demo"'
BASE = "aed/test"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


class Remote:
    """Somebody at the broker who sends commands and reads what comes back."""

    def __init__(self, broker: Mosquitto, watcher: Subscriber) -> None:
        self._broker, self.watcher = broker, watcher
        self._count = 0

    def send(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        with Publisher(self._broker) as publisher:
            publisher.publish(f"{BASE}/{topic}", payload, retain=retain)

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        self._count += 1
        transaction = f"t{self._count}"
        self.send(f"bridge/request/{command}", json.dumps({**fields, "transaction": transaction}))
        return self.answer(f"bridge/response/{command}", transaction)

    def answer(self, topic: str, transaction: str | None) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            answers = [message.json() for message in self.watcher.on(f"{BASE}/{topic}")]
            return [answer for answer in answers if answer["transaction"] == transaction]

        wait_for(found, f"the answer {transaction} on {topic}")
        return found()[-1]


@pytest.fixture
def remote(broker: Mosquitto) -> Iterator[Remote]:
    with Subscriber(broker) as watcher:
        yield Remote(broker, watcher)


def events(remote: Remote, source: str = "scape") -> list[dict[str, Any]]:
    return [message.json() for message in remote.watcher.on(f"{BASE}/{source}/event")]


def dogs(remote: Remote) -> list[dict[str, Any]]:
    return [event for event in events(remote, "porch") if event["class"] == "dog"]


def last(remote: Remote, topic: str) -> str | None:
    found = remote.watcher.on(f"{BASE}/{topic}")
    return found[-1].payload if found else None


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_every_command_is_answered(tmp_path: Path, broker: Mosquitto, remote: Remote, protocol: str) -> None:
    config = toml([DEMO], broker.port).replace("[mqtt]", f'[mqtt]\nprotocol = "{protocol}"')
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        health = remote.ask("health_check")
        assert health["status"] == "ok"
        assert health["data"]["sources"] == {"scape": "running"}
        assert health["data"]["healthy"] is True
        assert remote.ask("log_level", level="debug")["data"] == {"level": "debug"}
        assert remote.ask("log_level")["data"] == {"level": "debug"}
        clip = remote.ask("capture_clip")
        assert clip["status"] == "error"
        assert "clips are off" in clip["error"]
        options = remote.ask("options")["data"]
        assert options["log_level"] == "debug"
        assert options["sources"]["scape"]["listening"] is True
        assert 0 < options["sources"]["scape"]["thresholds"]["dog"] <= 1
        assert remote.ask("no_such_thing")["status"] == "error"
        daemon.config.write_text("node = 1")
        refused = remote.ask("reload")
        assert refused["status"] == "error"
        assert "aed.toml:1" in refused["error"]
        daemon.config.write_text(config + "\n[detection]\nhop_frames = 12\n")
        assert remote.ask("reload")["status"] == "ok"
        wait_for(lambda: any(event["hop_s"] == 0.12 for event in events(remote)), "the new hop")
        assert "Traceback" not in daemon.log


def test_what_is_heard_now_is_recorded_on_request_alone(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    config = toml([DEMO], broker.port, "[clips]\nenabled = true\nmin_free_mb = 0.0\nclasses = []\n")
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        assert "on_request is off" in remote.ask("capture_clip")["error"]
        daemon.config.write_text(config.replace("[clips]", "[clips]\non_request = true\npost_s = 0.0"))
        assert remote.ask("reload")["status"] == "ok"
        wait_for(lambda: remote.ask("capture_clip", duration_s=1.0)["status"] == "ok", "it listens again")
        answer = remote.ask("capture_clip", source="scape", duration_s=1.0)["data"]
        path = daemon.state / "clips" / answer["clip"]
        wait_for(path.exists, "the clip")
        assert path.name == f"{answer['id']}.flac"
        facts = json.loads(path.with_suffix(".json").read_text())
        assert (facts["class"], facts["source"]) == ("capture", "scape")
        assert facts["samples"] - facts["onset_s"] * facts["sample_rate_hz"] == facts["sample_rate_hz"]
        assert remote.ask("capture_clip", duration_s=0)["status"] == "error"
        assert remote.ask("capture_clip", source="nowhere")["status"] == "error"
        assert {event["clip"] for event in events(remote)} <= {None}


def test_clips_that_cannot_be_written_are_part_of_its_health(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    clips = f'[clips]\nenabled = true\non_request = true\nfolder = "{taken}"\n'
    with Daemon(tmp_path, toml([DEMO], broker.port, clips)) as daemon:
        daemon.wait_ready()
        assert "File exists" in remote.ask("health_check")["data"]["problems"]["clips"]
        assert "File exists" in remote.ask("capture_clip")["error"]
        wait_for(lambda: events(remote), "an event all the same")
        assert {event["clip"] for event in events(remote)} == {None}


def test_a_test_event_takes_the_real_path_and_says_what_it_is(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    with Daemon(tmp_path, toml([DEMO], broker.port)) as daemon:
        daemon.wait_ready()
        answer = remote.ask("test_event", source="scape")
        wait_for(lambda: len(found(remote, answer["data"]["id"])) == 2, "start and end")
        start, end = found(remote, answer["data"]["id"])
        assert (start["type"], end["type"]) == ("start", "end")
        assert {start["class"], end["class"]} == {"test_event"}
        assert start["score"] is None
        assert end["seq"] == start["seq"] + 1
        assert remote.ask("test_event", source="nowhere")["status"] == "error"
        assert not remote.watcher.on(f"{BASE}/scape/class/test_event/state")


def found(remote: Remote, identity: str) -> list[dict[str, Any]]:
    return [event for event in events(remote) if event["id"] == identity]


def test_a_threshold_takes_effect_at_once_and_survives_a_restart_until_the_configuration_changes(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    config = toml([DEMO], broker.port)
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        state = "scape/class/dog/threshold/state"
        configured = remote.ask("options")["data"]["sources"]["scape"]["thresholds"]["dog"]
        wait_for(lambda: last(remote, state) == f"{configured:g}", "the configured threshold")
        remote.send("scape/class/dog/threshold/set", "0.995")
        wait_for(lambda: last(remote, state) == "0.995", "the new threshold")
        assert remote.answer("bridge/response/threshold", None)["data"]["kept"] is True
        kept = daemon.state / FILE_NAME
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert not [line for line in daemon.log.splitlines() if "source_offline" in line]
        daemon.send(signal.SIGKILL)
        daemon.wait_end()
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        scape = remote.ask("options")["data"]["sources"]["scape"]
        assert scape["thresholds"]["dog"] == 0.995
        assert scape["set_remotely"] == ["dog"]
        daemon.config.write_text(config + "\n[detection.classes.dog]\nthreshold_on = 0.7\n")
        assert remote.ask("reload")["status"] == "ok"
        wait_for(lambda: last(remote, state) == "0.7", "the configuration's own change wins")
        assert "configuration_wins" in daemon.log
        undone = remote.ask("options", options={"sources": {"scape": {"thresholds": {"dog": 0.9}}}})
        assert undone["data"]["sources"]["scape"]["thresholds"]["dog"] == 0.9
        undone = remote.ask("options", options={"sources": {"scape": {"thresholds": {"dog": None}}}})
        assert undone["data"]["sources"]["scape"]["thresholds"]["dog"] == 0.7


def test_listening_off_closes_the_microphone_and_holds_over_a_restart(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    source = 'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000'
    config = toml([source, DEMO], broker.port, more="[detection.defaults]\nend_after_s = 100")
    heard = to_s16(np.concatenate([quiet(1.5), soundscape(1, 6.0)]))
    with PulseServer(tmp_path / "pulse") as pulse:
        pulse.load_source()
        with Daemon(tmp_path, config, env=pulse.environment) as daemon:
            wait_for(pulse.capturing, "the daemon captures")
            with pulse.playing(heard, loop=True):
                daemon.wait_ready()
                wait_for(lambda: dogs(remote), "dog")
                remote.send("porch/listening/set", "OFF")
                wait_for(lambda: last(remote, "porch/listening/state") == "OFF", "switched off")
                assert not pulse.capturing(), "the device is closed before the state says so"
                remote.watcher.wait_for(
                    f"{BASE}/porch/availability", '{"state":"offline","reason":"listening_off"}'
                )
                wait_for(lambda: dogs(remote)[-1]["type"] == "end", "the end")
                assert dogs(remote)[-1]["reason"] == "listening_off"
                remote.watcher.wait_for(f"{BASE}/porch/class/dog/state", "OFF")
                assert last(remote, "scape/availability") == '{"state":"online"}'
                daemon.send(signal.SIGTERM)
                assert daemon.wait_end() == 0
        with Daemon(tmp_path, config, env=pulse.environment) as daemon:
            daemon.wait_ready()
            assert any("porch switched off" in line for line in daemon.notify.lines)
            assert remote.ask("health_check")["data"]["sources"]["porch"] == "listening_off"
            assert not pulse.capturing()
            remote.send("porch/listening/set", "ON")
            wait_for(pulse.capturing, "the device is open again")
            with pulse.playing(heard, loop=True):
                remote.watcher.wait_for(f"{BASE}/porch/availability", '{"state":"online"}')
            assert last(remote, "porch/listening/state") == "ON"
            assert "Traceback" not in daemon.log


def test_a_pause_ends_by_itself(tmp_path: Path, broker: Mosquitto, remote: Remote) -> None:
    with Daemon(tmp_path, toml([DEMO], broker.port)) as daemon:
        daemon.wait_ready()
        paused = remote.ask("pause", duration_s=1.0)
        assert paused["data"]["paused"].keys() == {"scape"}
        availability = [m.payload for m in remote.watcher.on(f"{BASE}/scape/availability")]
        assert availability[-1] == '{"state":"offline","reason":"paused"}'
        assert last(remote, "scape/listening/state") == "ON", "a pause does not move the switch"
        remote.watcher.wait_for(f"{BASE}/scape/availability", '{"state":"online"}')
        assert remote.ask("pause")["data"]["paused"] == {"scape": None}
        assert remote.ask("health_check")["data"]["sources"] == {"scape": "paused"}
        assert remote.ask("pause", paused=False)["data"]["paused"] == {}
        remote.watcher.wait_for(f"{BASE}/scape/availability", '{"state":"online"}')
        assert daemon.process is not None
        assert daemon.process.poll() is None


def test_retained_commands_are_ignored(tmp_path: Path, broker: Mosquitto, remote: Remote) -> None:
    remote.send("scape/listening/set", "OFF", retain=True)
    remote.send("bridge/request/pause", "{}", retain=True)
    for protocol in ("5", "3.1.1"):
        config = toml([DEMO], broker.port).replace("[mqtt]", f'[mqtt]\nprotocol = "{protocol}"')
        with Daemon(tmp_path, config) as daemon:
            daemon.wait_ready()
            assert remote.ask("health_check")["data"]["sources"] == {"scape": "running"}
            assert last(remote, "scape/listening/state") == "ON"
            daemon.send(signal.SIGTERM)
            daemon.wait_end()


def test_without_remote_control_nobody_is_heard(tmp_path: Path, broker: Mosquitto, remote: Remote) -> None:
    config = toml([DEMO], broker.port).replace("[mqtt]", "[mqtt]\nremote_control = false")
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        remote.send("scape/listening/set", "OFF")
        remote.send("bridge/request/health_check", "{}")
        wait_for(lambda: any(event["class"] == "dog" for event in events(remote)), "dog")
        assert not remote.watcher.on(f"{BASE}/bridge/response/health_check")


def test_an_unreadable_file_of_settings_is_said_and_set_aside(tmp_path: Path, broker: Mosquitto) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE_NAME).write_text('{"version": 1, "listening": 7}')
    with Daemon(tmp_path, toml([DEMO], broker.port)) as daemon:
        daemon.wait_ready()
        assert "remote_settings_lost" in daemon.log
        assert (daemon.state / f"{FILE_NAME}.unreadable").read_text().endswith("7}")


def test_a_source_that_a_reload_takes_away_leaves_nothing_retained(
    tmp_path: Path, broker: Mosquitto, remote: Remote
) -> None:
    two = toml([DEMO, DEMO.replace("scape", "other")], broker.port)
    with Daemon(tmp_path, two) as daemon:
        daemon.wait_ready()
        remote.watcher.wait_for(f"{BASE}/other/availability", '{"state":"online"}')
        daemon.config.write_text(toml([DEMO], broker.port))
        assert remote.ask("reload")["status"] == "ok"
        remote.watcher.wait_for(f"{BASE}/other/class/dog/state", "")
        remote.watcher.wait_for(f"{BASE}/other/availability", "")
        with Subscriber(broker) as late:
            late.wait_for(f"{BASE}/scape/availability", '{"state":"online"}')
            late.wait_for(f"{BASE}/scape/listening/state", "ON")
            assert not [m.topic for m in late.messages if m.retain and "other" in m.topic]
        assert "Traceback" not in daemon.log
