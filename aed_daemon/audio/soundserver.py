"""Notice that a sound server has moved a stream to another microphone.

PulseAudio and PipeWire do so silently when a source goes away while there is another: the stream
delivers on, and nothing in it says from where. Their own tool, pactl, tells; without it, and for
ALSA's own devices, there is nothing to watch.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from aed_daemon.audio.choice import DeviceError

_FIRST_LOOK_S = 1.0
_LOOK_S = 30.0
_ANSWER_S = 5.0
_LIBRARIES = ("libpulse", "pipewire")


class StreamWatch:
    """Knows from which source the stream of a process comes, and notices when that is another.

    Parameters
    ----------
    pid : int
        The process that captures; its stream must have begun.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        known = speaks_to_a_server(pid) and shutil.which("pactl") is not None
        self._source = _source_of(pid) if known else None
        self._name = "" if self._source is None else _name_of(self._source)

    @property
    def needed(self) -> bool:
        """Whether a sound server is between the process and the microphone, and can be asked."""
        return self._source is not None

    def run(self, moved: Callable[[DeviceError], None]) -> None:
        """Watch until the server ends; `moved` takes the error, at most once."""
        with subprocess.Popen(
            ["pactl", "subscribe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as events:
            for _ in _occasions(events):
                source = _source_of(self._pid)
                if source not in (self._source, None):
                    moved(self._error(_name_of(str(source))))
                    break
            events.kill()

    def _error(self, now: str) -> DeviceError:
        return DeviceError(
            "the sound server has moved the stream to another microphone",
            expected=self._name,
            got=now,
            hint="It is closed and looked for again.",
        )


def _occasions(events: subprocess.Popen[bytes]) -> Iterator[None]:
    """Yield whenever a stream may have moved, until the server says nothing more."""
    if events.stdout is None:
        return
    descriptor = events.stdout.fileno()
    wait_s = _FIRST_LOOK_S  # it could have moved before the subscription began
    while True:
        if not select.select([descriptor], [], [], wait_s)[0]:
            wait_s = _LOOK_S
            yield
        elif not (text := os.read(descriptor, 65_536)):
            return
        elif b" on source-output #" in text:
            yield


def speaks_to_a_server(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether a process may capture through a sound server, and not from hardware itself.

    Asking a server that does not run could start one, which would take the hardware away.
    """
    try:
        mapped = (proc / str(pid) / "maps").read_text(encoding="utf-8", errors="replace")
        for descriptor in (proc / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                if re.fullmatch(r"/dev/snd/pcmC\d+D\d+c", str(descriptor.readlink())):
                    return False
    except OSError:
        return False
    return any(library in mapped for library in _LIBRARIES)


def _source_of(pid: int) -> str | None:
    """Return the number of the source that a process captures from, None where it captures nothing."""
    for stream in _pactl("list", "source-outputs").split("\n\n"):
        source = re.search(r"^\tSource: (\d+)$", stream, re.MULTILINE)
        if source and f'application.process.id = "{pid}"' in stream:
            return source[1]
    return None


def _name_of(source: str) -> str:
    for line in _pactl("list", "short", "sources").splitlines():
        number, _, rest = line.partition("\t")
        if number == source:
            return rest.partition("\t")[0]
    return f"source {source}"


def _pactl(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
