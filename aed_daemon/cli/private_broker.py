"""A mosquitto of our own on a free loopback port, for the demonstration."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_START_S = 5.0


def find_mosquitto() -> str | None:
    """Return mosquitto's path; Debian puts it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto") or next(
        (path for folder in _PLACES if (path := shutil.which("mosquitto", path=folder))), None
    )


class PrivateBroker:
    """Runs from entering the context to leaving it; reachable from this machine only."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.port = 0

    def __enter__(self) -> PrivateBroker:
        self._folder = tempfile.TemporaryDirectory(prefix="aed-demo-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        settings = Path(self._folder.name, "mosquitto.conf")
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        # A session of its own: Ctrl-C must reach the daemon first and leave it a broker to say goodbye to.
        self._process = subprocess.Popen(
            [self._program, "-c", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _wait(self) -> None:
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
