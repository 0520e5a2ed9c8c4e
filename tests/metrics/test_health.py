"""The verdict on a daemon whose parts stand still for real."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aed_daemon.companions import Companion
from aed_daemon.observer import Observation
from tests.metrics.parts import Measured
from tests.process import NotifySocket
from tests.pulse_server import PulseServer
from tests.sounds import soundscape, to_s16, write_wav
from tests.waiting import wait_for

pytestmark = pytest.mark.system


def test_a_microphone_that_stalls_is_not_healthy_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = to_s16(soundscape(1, 4.0))
    porch = {"type": "microphone", "name": "porch", "device": "aedfifo", "rate_hz": 16_000}
    with PulseServer(tmp_path / "pulse") as pulse:
        for name, value in pulse.environment.items():
            monkeypatch.setenv(name, value)
        pulse.load_source()
        with Measured({"source": [{**porch, "stall_timeout_s": 1.0}]}) as run:
            healthz = run.healthz
            with pulse.playing(sound, loop=True):
                wait_for(lambda: healthz()[0], "it listens", 30.0)
                assert run.value("aed_source_up", "porch") == run.value("aed_healthy") == 1
            wait_for(lambda: not healthz()[0], "it has stalled", 30.0)
            assert healthz()[1]["reasons"] == ["porch: waiting"]
            assert run.value("aed_source_up", "porch") == run.value("aed_healthy") == 0
            with pulse.playing(sound, loop=True):
                wait_for(lambda: healthz()[0], "it is back", 30.0)
            assert (run.value("aed_source_losses_total", "porch") or 0) > 0


class Stuck(Companion):
    """Breaks its word: it waits, in a pipeline's thread."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.holds = False

    def hop(self, observation: Observation) -> None:
        if self.holds and observation.source == "porch":
            self.free.wait()


def test_a_pipeline_that_hangs_starves_the_watchdog_and_the_health_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "sound.wav", soundscape(1, 4.0))
    sources = [{"type": "file", "name": name, "path": path, "loop": True} for name in ("porch", "hall")]
    systemd = NotifySocket(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    monkeypatch.setenv("WATCHDOG_USEC", "4500000")  # looked at every 1.5 s
    stuck = Stuck()
    with Measured({"source": sources}, [stuck]) as run:
        wait_for(lambda: systemd.lines.count("WATCHDOG=1") > 2, "the watchdog is fed")
        assert run.healthz()[0]
        stuck.holds = True
        wait_for(lambda: not run.healthz()[0], "it hangs")
        assert run.healthz()[1]["reasons"] == ["porch: hops do not advance"]
        fed = systemd.lines.count("WATCHDOG=1")
        hall = run.value("aed_hops_total", "hall") or 0
        wait_for(lambda: (run.value("aed_hops_total", "hall") or 0) > hall + 8, "the other goes on for 2 s")
        assert systemd.lines.count("WATCHDOG=1") == fed, "one verdict for both"
        stuck.holds = False
        stuck.free.set()
        wait_for(lambda: run.healthz()[0], "it moves again")
    systemd.close()
