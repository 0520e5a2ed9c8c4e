"""A private PulseAudio with a FIFO as its microphone: bit-exact, at the pace of who writes.

    with PulseServer(directory) as server:
        server.load_source(rate_hz=16_000)
        with server.playing(samples):       # int16 (n, channels), in real time
            ...                             # a program with server.environment captures "aedfifo"

The server's default source, and the ALSA PCM "aedfifo", are that microphone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.waiting import wait_for

PROGRAMS = ("pulseaudio", "pactl")
PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"

ASOUNDRC = """
pcm.aedfifo { type pulse device "aed_fifo" hint { show on description "pipe source" } }
"""


def require_pulse() -> None:
    """Skip the test where PulseAudio is missing; under CI fail instead."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    line = f"{', '.join(missing)} not found: apt-get install {PACKAGES}"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)


class FifoWriter:
    """Write samples into a FIFO at their rate, as a microphone would, from a thread of its own."""

    def __init__(self, path: Path, samples: NDArray[np.int16], rate_hz: int, *, loop: bool) -> None:
        self._samples = np.ascontiguousarray(samples.reshape(len(samples), -1))
        self._rate_hz, self._loop = rate_hz, loop
        self._stop = threading.Event()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        self.started_s = 0.0  # time.time() at which sample 0 begins
        self.done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.started_s = time.time()
        self._thread.start()

    def stop(self) -> None:
        """Fall silent: nothing more is written."""
        self._stop.set()
        self._thread.join(10.0)
        os.close(self._descriptor)

    def _run(self) -> None:
        step = self._rate_hz // 100
        start_s = time.monotonic()
        at = 0
        while self._loop or at < len(self._samples):
            first = at % len(self._samples)
            part = self._samples[first : first + step]
            at += len(part)
            # Its last sample is there only when it has sounded.
            if self._stop.wait(max(0.0, start_s + at / self._rate_hz - time.monotonic())):
                return
            self._put(part.tobytes())
        self.done.set()

    def _put(self, data: bytes) -> None:
        while data and not self._stop.is_set():
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                self._stop.wait(0.002)
            except BrokenPipeError:  # the microphone has been pulled out
                self._stop.set()


class PulseServer:
    """The server; use as a context manager.

    Attributes
    ----------
    environment : dict of str
        For the programs that shall hear it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._socket = directory / "run" / "pulse" / "native"
        self._fifo = directory / "fifo"
        self._log = directory / "pulse.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._module: str | None = None
        self._rate_hz = 16_000
        self.environment = {
            **os.environ,
            "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "PULSE_RUNTIME_PATH": str(directory / "run" / "pulse"),
            "PULSE_SERVER": f"unix:{self._socket}",
        }

    def __enter__(self) -> PulseServer:
        require_pulse()
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        (self.directory / ".asoundrc").write_text(ASOUNDRC)
        script = self.directory / "aed.pa"
        script.write_text(f"load-module module-native-protocol-unix socket={self._socket} auth-anonymous=1\n")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, or start it again after `kill`; without a source."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "pulseaudio", "-n", "-F", str(self.directory / "aed.pa"), "--daemonize=no",
                    "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--realtime=no",
                    "--high-priority=no",
                ],
                env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_for(lambda: self._control("info").returncode == 0, "PulseAudio answers")

    @property
    def running(self) -> bool:
        """Whether it was started and has not been killed."""
        return self._process is not None

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process, self._module = None, None
        self._fifo.unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments], env=self.environment, capture_output=True, text=True, check=False
        )

    def load_source(self, rate_hz: int = 16_000, channels: int = 1) -> None:
        """Plug the microphone in: S16, `channels` channels at `rate_hz`."""
        self._fifo.unlink(missing_ok=True)
        done = self._control(
            "load-module", "module-pipe-source", "source_name=aed_fifo", f"file={self._fifo}",
            "format=s16le", f"rate={rate_hz}", f"channels={channels}",
        )  # fmt: skip
        if done.returncode != 0:
            pytest.fail(f"module-pipe-source: {done.stderr.strip()}; {self._log.read_text()[-500:]}")
        self._module, self._rate_hz = done.stdout.strip(), rate_hz
        wait_for(self._fifo.exists, "the FIFO is there")

    def unload_source(self) -> None:
        """Pull the microphone out."""
        if self._module:
            self._control("unload-module", self._module)
            self._module = None

    def load_other(self) -> None:
        """Plug another microphone in, which hears silence: the server may move streams to it."""
        self._control("load-module", "module-null-sink", "sink_name=other")

    def unload_all(self) -> None:
        """Pull everything out."""
        self.unload_source()
        self._control("unload-module", "module-null-sink")

    def capturing(self) -> bool:
        """Whether a program captures from the server."""
        return bool(self._control("list", "short", "source-outputs").stdout.strip())

    @contextmanager
    def playing(self, samples: NDArray[np.int16], *, loop: bool = False) -> Iterator[FifoWriter]:
        """Let the microphone hear samples, int16 (n,) or (n, channels), at the source's rate."""
        writer = FifoWriter(self._fifo, samples, self._rate_hz, loop=loop)
        writer.start()
        try:
            yield writer
        finally:
            writer.stop()
