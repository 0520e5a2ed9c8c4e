"""The whole daemon as a process: sound in, MQTT out, under the signals of a service manager."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from tests.mosquitto import Mosquitto, Subscriber
from tests.process import Daemon, aed, command, toml
from tests.pulse_server import PulseServer
from tests.sounds import quiet, soundscape, to_s16, write_wav
from tests.waiting import wait_for

pytestmark = pytest.mark.system

PER_RUN = {"id", "epoch", "seq", "published", "latency_ms", "start", "start_ts", "end"}
"""What wire.md lets differ between two runs over the same sound."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def dog(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "dog.wav", soundscape(1, 8.0))


def file_source(path: Path, **options: Any) -> str:
    lines = [f'name = "{path.name}"', 'type = "file"', f'path = "{path}"']
    return "\n".join(lines + [f"{key} = {json.dumps(value)}" for key, value in options.items()])


def events(watcher: Subscriber, source: str) -> list[dict[str, Any]]:
    return [message.json() for message in watcher.on(f"aed/test/{source}/event")]


def has_dog(watcher: Subscriber, source: str, kind: str = "start") -> bool:
    return any(event["class"] == "dog" and event["type"] == kind for event in events(watcher, source))


def test_from_a_microphone_to_a_subscriber(tmp_path: Path, broker: Mosquitto) -> None:
    """The main job, through a sound server, PortAudio, the capture child and a broker."""
    heard = to_s16(np.concatenate([quiet(1.5), soundscape(1, 6.0)]))
    source = 'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000'
    with PulseServer(tmp_path / "pulse") as pulse, Subscriber(broker) as watcher:
        pulse.load_source()
        with Daemon(tmp_path, toml([source], broker.port), env=pulse.environment) as daemon:
            wait_for(pulse.capturing, "the daemon captures", 20.0)
            with pulse.playing(heard):
                daemon.wait_ready()
                wait_for(lambda: has_dog(watcher, "porch"), "dog", 20.0)
            (start,) = [e for e in events(watcher, "porch") if e["class"] == "dog" and e["type"] == "start"]
            assert 0 < start["latency_ms"] < 3_000
            assert start["engine"] in ("native", "litert", "tflite")
            watcher.wait_for("aed/test/porch/class/dog/state", "ON")
            daemon.send(signal.SIGTERM)
            assert daemon.wait_end() == 0
            assert has_dog(watcher, "porch", "end")
            watcher.wait_for("aed/test/porch/class/dog/state", "OFF")
            watcher.wait_for("aed/test/bridge/state", '{"state":"offline"}')
            assert "STOPPING=1" in daemon.notify.lines
            assert "Traceback" not in daemon.log


def test_live_equals_replay(tmp_path: Path, dog: Path) -> None:
    config = toml([file_source(dog)], more="[output]\njsonl = true")
    with Daemon(tmp_path, config) as daemon:
        assert daemon.wait_end(30.0) == 0
        live = [json.loads(line) for line in daemon.stdout]
    replayed = aed("replay", dog, "--json", "--config", daemon.config)
    again = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert any(event["class"] == "dog" for event in live)

    def comparable(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in event.items() if key not in PER_RUN} for event in found]

    assert comparable(live) == comparable(again)
    first = live[0]["start_ts"] - live[0]["start_sample"] / 16_000
    for event in live:
        assert event["start_ts"] - event["start_sample"] / 16_000 == pytest.approx(first, abs=0.002)


def test_a_missing_microphone_is_waited_for(tmp_path: Path, broker: Mosquitto) -> None:
    source = 'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000'
    with (
        PulseServer(tmp_path / "pulse") as pulse,
        Subscriber(broker) as watcher,
        Daemon(tmp_path, toml([source], broker.port), env=pulse.environment) as daemon,
    ):
        daemon.wait_ready()
        assert any("porch waiting" in line for line in daemon.notify.lines)
        watcher.wait_for("aed/test/porch/availability", '{"state":"offline","reason":"device_lost"}')
        pulse.load_source()
        with pulse.playing(to_s16(soundscape(1, 8.0)), loop=True):
            watcher.wait_for("aed/test/porch/availability", '{"state":"online"}')
            wait_for(lambda: has_dog(watcher, "porch"), "dog", 30.0)
        assert daemon.process is not None
        assert daemon.process.poll() is None


def test_one_source_that_is_over_and_one_that_is_away_are_ready_too(tmp_path: Path) -> None:
    short = file_source(write_wav(tmp_path / "short.wav", quiet(0.1)))
    away = 'name = "porch"\ntype = "microphone"\ndevice = "none of that name"'
    with Daemon(tmp_path, toml([short, away])) as daemon:
        daemon.wait_ready()
        assert any("short.wav ended, porch waiting" in line for line in daemon.notify.lines)


def test_a_broker_that_is_late_gets_everything(tmp_path: Path, dog: Path) -> None:
    late = Mosquitto(tmp_path / "broker")
    config = toml([file_source(dog, realtime=False), DEMO], late.port)
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        wait_for(lambda: "ended" in daemon.log, "the file is through", 20.0)
        with late, Subscriber(late) as watcher:
            wait_for(lambda: has_dog(watcher, "dog.wav", "end"), "dog", 20.0)
            daemon.send(signal.SIGTERM)
            assert daemon.wait_end() == 0
            found = [message.json() for message in watcher.messages if message.topic.endswith("/event")]
            assert [event["seq"] for event in found] == list(range(len(found)))


DEMO = 'name = "scape"\ntype = "demo"'


def test_sources_do_not_disturb_each_other(tmp_path: Path, broker: Mosquitto, dog: Path) -> None:
    lost = file_source(tmp_path / "none.wav")
    with (
        Subscriber(broker) as watcher,
        Daemon(tmp_path, toml([file_source(dog), lost, DEMO], broker.port)) as daemon,
    ):
        daemon.wait_ready()
        wait_for(lambda: has_dog(watcher, "dog.wav") and has_dog(watcher, "scape"), "dog twice", 20.0)
        watcher.wait_for("aed/test/none.wav/availability", '{"state":"offline","reason":"file_missing"}')
        watcher.wait_for("aed/test/dog.wav/availability", '{"state":"offline","reason":"ended"}')
        assert daemon.process is not None
        assert daemon.process.poll() is None


def test_sigterm_ends_open_events(tmp_path: Path) -> None:
    config = toml([DEMO], more="[output]\njsonl = true\n[detection.defaults]\nend_after_s = 100")
    with Daemon(tmp_path, config) as daemon:
        wait_for(lambda: any('"class":"dog"' in line for line in daemon.stdout), "dog", 20.0)
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end(6.0) == 0
        (end,) = [e for e in map(json.loads, daemon.stdout) if (e["class"], e["type"]) == ("dog", "end")]
        assert end["reason"] == "shutdown"


def test_sighup_takes_over_what_is_good_and_keeps_what_is_not(tmp_path: Path) -> None:
    config = toml([DEMO], more="[output]\njsonl = true")
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        daemon.config.write_text(config + "\n[detection]\nhop_frames = 0\n")
        daemon.send(signal.SIGHUP)
        wait_for(lambda: "reload_refused" in daemon.log, "the fault is told")
        assert f"{daemon.config}:" in daemon.log
        assert "hop_frames" in daemon.log
        daemon.config.write_text(config + "\n[detection]\nhop_frames = 12\n")
        daemon.send(signal.SIGHUP)
        wait_for(lambda: '"reloaded"' in daemon.log, "the change is taken over")
        wait_for(lambda: any('"hop_s":0.12' in line for line in daemon.stdout), "the new hop", 20.0)
        assert "source_offline" not in daemon.log
        daemon.config.write_text(toml([DEMO.replace("scape", "other")], more="[output]\njsonl = true"))
        daemon.send(signal.SIGHUP)
        wait_for(lambda: any('"source":"other"' in line for line in daemon.stdout), "the new source", 20.0)
        assert [line for line in daemon.notify.lines if line == "RELOADING=1"]


def reload(daemon: Daemon, config: str) -> None:
    done = daemon.log.count("reloaded")
    daemon.config.write_text(config)
    daemon.send(signal.SIGHUP)
    wait_for(lambda: daemon.log.count("reloaded") > done, "the change is taken over", 20.0)


def test_a_reload_tells_subscribers_of_another_model(tmp_path: Path, broker: Mosquitto) -> None:
    other = tmp_path / "other.tflite"
    shutil.copy(DEFAULT_MODEL, other)
    manifest = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    other.with_suffix(".json").write_text(json.dumps({**manifest, "name": "other", "file": other.name}))
    with Subscriber(broker) as watcher, Daemon(tmp_path, toml([DEMO], broker.port)) as daemon:
        daemon.wait_ready()
        reload(daemon, toml([DEMO], broker.port, more=f'[model]\npath = "{other}"'))
        info = "aed/test/bridge/info"
        wait_for(lambda: watcher.on(info) and watcher.on(info)[-1].json()["model"]["name"] == "other", info)
        wait_for(
            lambda: "other" in {e["model"]["name"] for e in events(watcher, "scape")}, "its events", 20.0
        )


def test_a_reload_changes_what_is_logged(tmp_path: Path) -> None:
    with Daemon(tmp_path, toml([DEMO])) as daemon:
        daemon.wait_ready()
        reload(daemon, toml([DEMO], more='[log]\nformat = "console"'))
        assert '"reloaded"' not in daemon.log.splitlines()[-1]


def test_a_broker_that_a_reload_brings_gets_the_events(tmp_path: Path, broker: Mosquitto) -> None:
    with Subscriber(broker) as watcher, Daemon(tmp_path, toml([DEMO])) as daemon:
        daemon.wait_ready()
        reload(daemon, toml([DEMO], broker.port))
        wait_for(lambda: has_dog(watcher, "scape"), "dog", 20.0)


def test_reloads_do_not_make_the_daemon_throw_itself_out(tmp_path: Path, broker: Mosquitto) -> None:
    with Subscriber(broker) as watcher, Daemon(tmp_path, toml([DEMO], broker.port)) as daemon:
        daemon.wait_ready()
        for hop_frames in range(12, 20):
            reload(daemon, toml([DEMO], broker.port, more=f"[detection]\nhop_frames = {hop_frames}"))
        assert "mqtt_connection_lost" not in daemon.log
        watcher.wait_for("aed/test/bridge/state", '{"state":"online"}')


def test_the_watchdog_is_fed(tmp_path: Path) -> None:
    with Daemon(tmp_path, toml([DEMO]), env={"WATCHDOG_USEC": "900000"}) as daemon:
        daemon.wait_ready()
        wait_for(lambda: daemon.notify.lines.count("WATCHDOG=1") >= 4, "pings", 20.0)


def test_what_starves_the_watchdog_is_told(tmp_path: Path) -> None:
    """A pipe that says nothing more: its source runs and does not move."""
    (tmp_path / "some.raw").write_bytes(to_s16(quiet(2.0)).tobytes())
    writer = f'command = ["sh", "-c", "cat {tmp_path}/some.raw; sleep 100"]'
    source = f'name = "stuck"\ntype = "command"\n{writer}'
    with Daemon(tmp_path, toml([source]), env={"WATCHDOG_USEC": "3000000"}) as daemon:
        daemon.wait_ready()
        wait_for(lambda: '"no_progress"' in daemon.log, "the warning", 20.0)
        assert '"stuck: samples"' in daemon.log


def starts_and_ends(lines: list[str]) -> list[tuple[Any, ...]]:
    keys = ("type", "class", "start_sample", "end_sample", "score")
    return [tuple(event[key] for key in keys) for event in map(json.loads, lines)]


def test_standard_input_and_commands_are_heard(tmp_path: Path) -> None:
    raw = to_s16(np.concatenate([soundscape(1, 4.5), quiet(3.0)])).tobytes()
    (tmp_path / "dog.raw").write_bytes(raw)
    config = tmp_path / "aed.toml"
    config.write_text(toml(['name = "piped"\ntype = "stdin"'], more="[output]\njsonl = true"))
    done = aed("run", "--config", config, stdin=raw)
    assert done.returncode == 0, done.stderr
    piped = starts_and_ends(done.stdout.splitlines())
    assert [key[0] for key in piped if key[1] == "dog"] == ["start", "end"]
    program = (
        f'name = "program"\ntype = "command"\ncommand = ["sh", "-c", "cat {tmp_path}/dog.raw; sleep 100"]'
    )
    with Daemon(tmp_path, toml([program], more="[output]\njsonl = true")) as daemon:
        wait_for(lambda: len(daemon.stdout) >= len(piped), "the same events from a program", 20.0)
        assert starts_and_ends(daemon.stdout) == piped


def test_the_demonstration_runs_without_any_configuration(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            command("run", "--demo", "--soundscape"), stdout=out, stderr=subprocess.STDOUT
        )
        try:
            text = tmp_path / "out"
            wait_for(lambda: "\ndog, " in text.read_text(), "dog", 30.0)
            process.send_signal(signal.SIGINT)
            assert process.wait(20.0) == 0
        finally:
            process.kill()
            process.wait()
    counted = re.search(r"(\d+) of (\d+) sounds found", text.read_text())
    assert counted
    assert int(counted[1]) >= 1
    assert int(counted[2]) <= 3, "what had not been played yet is no miss"
    assert "Traceback" not in text.read_text()
