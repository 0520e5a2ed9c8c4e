"""The daemon as a process: a sound server whose microphone we fill, a broker, systemd's socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pytest

from benchmarks.measure import ONE_THREAD, ProgramError
from benchmarks.outcome import UnavailableError
from tests.mosquitto import Mosquitto
from tests.pulse_server import PulseServer

RATE_HZ = 16_000
SOURCE = "room"
_READY_S = 60.0
_STOP_S = 10.0


def aed_daemon() -> list[str]:
    """Return the command: the installed script where there is one, as users run it."""
    script = Path(sys.executable).with_name("aed-daemon")
    return [str(script)] if script.exists() else [sys.executable, "-m", "aed_daemon"]


@dataclass(frozen=True)
class Rig:
    """What a daemon needs around it.

    Attributes
    ----------
    folder : Path
        For files.
    broker : Mosquitto
        On a loopback port.
    pulse : PulseServer
        Its microphone is plugged in.
    """

    folder: Path
    broker: Mosquitto
    pulse: PulseServer

    def daemon(
        self,
        node: str = "bench",
        *,
        engine: str = "auto",
        model: Path | None = None,
        python_options: tuple[str, ...] = (),
    ) -> Daemon:
        """Return a daemon on this microphone and broker, not yet started."""
        folder = self.folder / node
        folder.mkdir(exist_ok=True)
        config = folder / "aed.toml"
        config.write_text(self._toml(node, engine, model), encoding="utf-8")
        return Daemon(config, self.pulse.environment, python_options)

    def _toml(self, node: str, engine: str, model: Path | None) -> str:
        path = "" if model is None else f"path = {json.dumps(str(model))}\n"
        return (
            f"node = {json.dumps(node)}\n"
            f'[[source]]\nname = "{SOURCE}"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = {RATE_HZ}\n'
            f"[model]\n{path}engine = {json.dumps(engine)}\n"
            f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {self.broker.port}\n'
            '[log]\nformat = "json"\n'
        )


@contextmanager
def rig(broker: Mosquitto | None = None) -> Iterator[Rig]:
    """Set a rig up in a folder that does not last; with a broker of its own unless one is given.

    Raises
    ------
    UnavailableError
        Where mosquitto or PulseAudio is missing.
    """
    with TemporaryDirectory(prefix="aed-bench-") as name, missing_parts_told():
        folder = Path(name)
        with PulseServer(folder / "pulse") as pulse:
            pulse.load_source(RATE_HZ)
            if broker is not None:
                yield Rig(folder, broker, pulse)
                return
            with Mosquitto(folder / "broker") as own:
                yield Rig(folder, own, pulse)


@contextmanager
def missing_parts_told() -> Iterator[None]:
    """Turn what the tests' parts say to pytest into this program's errors."""
    try:
        yield
    except pytest.skip.Exception as reason:
        raise UnavailableError(str(reason)) from None
    except pytest.fail.Exception as reason:
        raise ProgramError(str(reason)) from None


class NotifySocket:
    """Stands where systemd would listen."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def wait_ready(self, timeout_s: float) -> float:
        """Return when READY=1 came, on the monotonic clock; raises TimeoutError."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
            lines = self._socket.recv(65_536).decode().splitlines()
            if "READY=1" in lines:
                return time.monotonic()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class Daemon:
    """`aed-daemon run`, from `with` to its end.

    Parameters
    ----------
    config : Path
        Its configuration; its messages and socket go beside.
    environment : mapping of str
        What reaches the sound server.
    python_options : tuple of str
        For the interpreter, such as -X importtime.
    """

    def __init__(
        self, config: Path, environment: Mapping[str, str], python_options: tuple[str, ...] = ()
    ) -> None:
        self._log = config.with_name("log")
        notify = config.with_name("notify")
        self._notify = NotifySocket(notify)
        self._environment = {**os.environ, **environment, **ONE_THREAD, "NOTIFY_SOCKET": str(notify)}
        start = [sys.executable, *python_options, "-m", "aed_daemon"] if python_options else aed_daemon()
        self._command = [*start, "run", "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._started_utc_s = 0.0

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._started_s, self._started_utc_s = time.monotonic(), time.time()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._notify.close()

    @property
    def pid(self) -> int:
        """Of the main process."""
        if self._process is None:
            raise ProgramError("the daemon was not started")
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def phases(self) -> dict[str, float]:
        """Return the seconds from its start to the first message of each kind."""
        messages = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return {
            message["event"]: datetime.fromisoformat(message["timestamp"]).timestamp() - self._started_utc_s
            for message in reversed(messages)
        }

    def wait_ready(self) -> float:
        """Return the seconds from its start to READY=1; raises ProgramError where that does not come."""
        try:
            return self._notify.wait_ready(_READY_S) - self._started_s
        except TimeoutError:
            raise ProgramError(f"the daemon does not become ready: {self.log[-500:]}") from None
