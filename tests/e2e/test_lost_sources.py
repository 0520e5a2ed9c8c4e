"""Sources that come and go in a running daemon: their states as a subscriber sees them."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.test_daemon import DEMO, file_source
from tests.mosquitto import Mosquitto, Subscriber
from tests.process import Daemon, toml
from tests.pulse_server import PulseServer
from tests.sounds import quiet, soundscape, to_s16, write_wav
from tests.waiting import wait_for

pytestmark = pytest.mark.system

PORCH = 'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000\nstall_timeout_s = 1.0'


def states(watcher: Subscriber, source: str) -> list[str]:
    told = [message.json() for message in watcher.on(f"aed/test/{source}/availability")]
    return [state.get("reason", state["state"]) for state in told]


def heard(watcher: Subscriber, source: str) -> int:
    return len(watcher.on(f"aed/test/{source}/level"))


def test_a_microphone_that_is_lost_comes_back_and_disturbs_nobody(tmp_path: Path) -> None:
    sound = to_s16(soundscape(1, 4.0))
    with (
        PulseServer(tmp_path / "pulse") as pulse,
        Mosquitto(tmp_path / "broker") as broker,
        Subscriber(broker) as watcher,
        Daemon(tmp_path, toml([PORCH, DEMO], broker.port), env=pulse.environment) as daemon,
    ):
        pulse.load_source()
        with pulse.playing(sound, loop=True):
            daemon.wait_ready()
            wait_for(lambda: heard(watcher, "porch") > 1, "it is heard", 30.0)
            pulse.unload_source()
            wait_for(lambda: states(watcher, "porch")[-1] == "device_lost", "the loss is told")
        before, beside = heard(watcher, "porch"), heard(watcher, "scape")
        wait_for(lambda: heard(watcher, "scape") > beside + 2, "the other one goes on")
        pulse.load_source()
        with pulse.playing(sound, loop=True):
            wait_for(lambda: heard(watcher, "porch") > before, "it is heard again", 20.0)
        wait_for(lambda: states(watcher, "porch")[-1] != "online", "it stalls")
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0
        told = [state for state in states(watcher, "porch") if state != "stopped"]
        assert told[-3:] == ["device_lost", "online", "device_lost"]
        assert states(watcher, "scape") == ["online", "stopped"]
        assert daemon.notify.lines.count("READY=1") == 1
        assert '"source": "scape", "gaps"' not in daemon.log
        assert "Traceback" not in daemon.log


def test_a_file_says_what_is_wrong_with_it_and_is_taken_when_it_is_right(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "whole.wav", np.concatenate([soundscape(1, 2.0), quiet(0.5)]))
    names = ("late.wav", "folder.wav", "cut.wav")
    (tmp_path / "folder.wav").mkdir()
    data = whole.read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    sources = [file_source(tmp_path / name) for name in names]
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Subscriber(broker) as watcher,
        Daemon(tmp_path, toml([*sources, DEMO], broker.port)) as daemon,
    ):
        daemon.wait_ready()
        for name, state in zip(names, ("file_missing", "file_unreadable", "file_damaged"), strict=True):
            wait_for(lambda name=name, state=state: states(watcher, name)[-1:] == [state], state)  # type: ignore[misc]
        shutil.copy(whole, tmp_path / "copied")
        (tmp_path / "copied").rename(tmp_path / "late.wav")
        wait_for(
            lambda: states(watcher, "late.wav")[-2:] == ["online", "ended"], "the file that came late", 30.0
        )


def test_a_file_in_a_loop_that_breaks_off_is_waited_for(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "whole.wav", soundscape(1, 1.0))
    looped = tmp_path / "looped.wav"
    shutil.copy(whole, looped)
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Subscriber(broker) as watcher,
        Daemon(tmp_path, toml([file_source(looped, loop=True)], broker.port)) as daemon,
    ):
        daemon.wait_ready()
        looped.unlink()
        wait_for(lambda: states(watcher, looped.name)[-1:] == ["file_missing"], "its absence is told", 30.0)
        shutil.copy(whole, looped)
        wait_for(lambda: states(watcher, looped.name)[-1:] == ["online"], "it is back", 30.0)
        before = heard(watcher, looped.name)
        wait_for(lambda: heard(watcher, looped.name) > before + 1, "and heard")
