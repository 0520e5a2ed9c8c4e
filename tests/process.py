"""The daemon as its users run it: a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.waiting import wait_for


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of `aed-daemon`, whether it is installed or not."""
    return [sys.executable, "-m", "aed_daemon", *map(str, arguments)]


def aed(
    *arguments: str | Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `aed-daemon` to its end."""
    done = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, env={**os.environ, **(env or {})}, timeout=120
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")
    )


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NotifySocket:
    """Stands where systemd would listen."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        """What was said so far, a line each."""
        while True:
            try:
                self._lines += self._socket.recv(65_536).decode().splitlines()
            except BlockingIOError:
                return self._lines

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Daemon:
    """`aed-daemon run` with a configuration; ends with the context.

    Parameters
    ----------
    folder : Path
        For its configuration, log and notify socket.
    config : str
        The TOML.
    """

    def __init__(self, folder: Path, config: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.config = folder / "aed.toml"
        self.config.write_text(config)
        self.notify = NotifySocket(folder)
        self.state = folder / "state"
        own = {"NOTIFY_SOCKET": str(self.notify.path), "STATE_DIRECTORY": str(self.state)}
        self._env = {**os.environ, **own, **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                command("run", "--config", self.config),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._env,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()

    @property
    def log(self) -> str:
        """What it has said on standard error."""
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def stdout(self) -> list[str]:
        """What it has printed, line by line."""
        return (self.folder / "stdout").read_text().splitlines()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process:
            self.process.send_signal(number)

    def wait_ready(self) -> None:
        """Wait for READY=1."""
        wait_for(lambda: "READY=1" in self.notify.lines or self._over(), "READY=1", 30.0)
        if self._over():
            raise AssertionError(f"the daemon ended:\n{self.log}")

    def wait_end(self, timeout_s: float = 20.0) -> int:
        """Wait until it has ended and return its exit status."""
        if self.process is None:
            raise AssertionError("it was never started")
        return self.process.wait(timeout_s)

    def _over(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def toml(sources: Sequence[str], port: int | None = None, more: str = "") -> str:
    """Return a configuration with sources, a broker on this machine, and more lines in front."""
    mqtt = f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {port}\n' if port else ""
    return "\n".join(['node = "test"', more, mqtt, *(f"[[source]]\n{source}\n" for source in sources)])
