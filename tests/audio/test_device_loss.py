"""Every way in which a microphone was seen to go away (testbench.md), with a real sound server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.audio.reader import CaptureReader
from aed_daemon.config_sources import MicrophoneSource as MicrophoneConfig
from aed_daemon.worker import SourceWorker
from tests.pulse_server import PulseServer
from tests.waiting import wait_for

pytestmark = pytest.mark.system

BACKENDS = ["portaudio", "arecord"]


def noise(seconds: float = 1.0) -> NDArray[np.int16]:
    return np.random.default_rng(7).integers(-3_000, 3_000, round(seconds * 16_000)).astype(np.int16)


class Heard:
    """A microphone as the daemon keeps it open, and what it has said of itself."""

    def __init__(self, **options: Any) -> None:
        settings = {"type": "microphone", "name": "porch", "device": "aedfifo", "rate_hz": 16_000}
        settings |= {"stall_timeout_s": 0.7, **options}
        self.states: list[str] = []
        config = MicrophoneConfig.model_validate(settings)
        self.worker = SourceWorker(config, 16_000, self._state)

    def _state(self, _name: str, online: bool, reason: str | None) -> None:
        self.states.append("online" if online else str(reason))

    @property
    def reader(self) -> CaptureReader:
        return self.worker.reader

    def wait_for_sound(self) -> None:
        """Wait until a further half second has arrived."""
        until = self.reader.counters().samples + 8_000
        wait_for(lambda: self.reader.counters().samples >= until, f"sound arrives; {self.states}", 30.0)

    def wait_for_state(self, state: str) -> None:
        wait_for(lambda: self.states[-1:] == [state], f"{state}, after {self.states}", 30.0)


@contextmanager
def listening(**options: Any) -> Iterator[Heard]:
    heard = Heard(**options)
    heard.worker.start()
    try:
        yield heard
    finally:
        begun_s = time.monotonic()
        assert heard.reader.stop(3.0)
        assert time.monotonic() - begun_s < 3.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_source_is_removed(pulse: PulseServer, backend: str) -> None:
    pulse.load_source()
    with listening(backend=backend) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
            pulse.unload_source()
            heard.wait_for_state("device_lost")
        pulse.load_source()
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_server_is_killed(pulse: PulseServer, backend: str) -> None:
    pulse.load_source()
    with listening(backend=backend) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
            pulse.kill()
            heard.wait_for_state("device_lost")
        pulse.start()
        pulse.load_source()
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("backend", BACKENDS)
def test_another_microphone_is_not_listened_to_in_its_place(pulse: PulseServer, backend: str) -> None:
    """The server moves the stream: the device delivers on, and only the server knows whose sound."""
    pulse.load_source()
    pulse.load_other()
    with listening(backend=backend) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
            pulse.unload_source()
            heard.wait_for_state("device_lost")
        assert not pulse.capturing()
        pulse.load_source()
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_source_that_never_delivers(pulse: PulseServer, backend: str) -> None:
    pulse.load_source()
    with listening(backend=backend) as heard:
        heard.wait_for_state("device_lost")
        assert heard.reader.counters().state == "waiting"
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_source_that_stalls_and_goes_on(pulse: PulseServer, backend: str) -> None:
    pulse.load_source()
    with listening(backend=backend) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
        heard.wait_for_state("device_lost")
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("backend", BACKENDS)
def test_stop_does_not_wait_for_a_stalled_device(pulse: PulseServer, backend: str) -> None:
    pulse.load_source()
    with listening(backend=backend, stall_timeout_s=60.0) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
        begun_s = time.monotonic()
        assert heard.reader.stop()
        assert time.monotonic() - begun_s < 1.0
    wait_for(lambda: not pulse.capturing(), "nothing is left that captures")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_device_that_is_absent_is_looked_for_in_vain_and_then_found(
    pulse: PulseServer, backend: str
) -> None:
    with listening(backend=backend) as heard:
        heard.wait_for_state("device_lost")
        wait_for(lambda: heard.reader.counters().losses >= 1, "it was tried")
        assert heard.reader.counters().samples == 0
        pulse.load_source()
        with pulse.playing(noise(), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("backend", BACKENDS)
def test_stop_does_not_wait_for_an_absent_device(pulse: PulseServer, backend: str) -> None:
    with listening(backend=backend) as heard:
        heard.wait_for_state("device_lost")
        wait_for(lambda: heard.reader._source._child is not None, "it is looked for")  # type: ignore[attr-defined]
        begun_s = time.monotonic()
        assert heard.reader.stop()
        assert time.monotonic() - begun_s < 1.0


def test_a_capture_process_that_hangs_is_replaced(pulse: PulseServer) -> None:
    pulse.load_source()
    with listening() as heard, pulse.playing(noise(), loop=True):
        heard.wait_for_sound()
        source = heard.reader._source
        pid = source._child._process.pid  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
        heard.wait_for_state("device_lost")
        heard.wait_for_state("online")
        heard.wait_for_sound()
        assert not Path("/proc", str(pid)).exists()


@pytest.mark.parametrize("value", [0, 1_234])
def test_a_dead_signal_is_a_loss_until_it_varies(pulse: PulseServer, value: int) -> None:
    pulse.load_source()
    dead = np.full(16_000, value, np.int16)
    with listening(dead_signal_s=0.5) as heard:
        with pulse.playing(noise(), loop=True):
            heard.wait_for_sound()
        with pulse.playing(dead, loop=True):
            heard.wait_for_state("dead_signal")
            tried = heard.reader.counters().losses
            wait_for(lambda: heard.reader.counters().losses >= tried + 2, "it is opened again")
            assert heard.states == ["online", "dead_signal"]
        with pulse.playing(np.concatenate([dead[:800], noise()]), loop=True):
            heard.wait_for_state("online")
            heard.wait_for_sound()


@pytest.mark.parametrize("missing", ["library", "device"])
def test_arecord_takes_over_where_portaudio_cannot(
    pulse: PulseServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    missing: Literal["library", "device"],
) -> None:
    stand_in = tmp_path_factory.mktemp("stand-in")
    fault = {
        "library": "raise OSError('PortAudio library not found')\n",
        "device": (
            "class PortAudioError(Exception): pass\n"
            "def query_hostapis(): raise PortAudioError('Unanticipated host error')\n"
            "query_devices = query_hostapis\n"
        ),
    }[missing]
    (stand_in / "sounddevice.py").write_text(fault)
    (stand_in / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(stand_in)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(stand_in))
    pulse.load_source()
    with listening() as heard, pulse.playing(noise(), loop=True):
        heard.wait_for_state("online")
        heard.wait_for_sound()
