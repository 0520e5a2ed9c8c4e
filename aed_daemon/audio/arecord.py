"""A device through arecord (Debian's alsa-utils), in the capture child: for where PortAudio cannot."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aed_daemon.audio.backend import BLOCK_S, SAMPLE_BYTES, Opened, Wanted
from aed_daemon.audio.choice import Device, DeviceError, choose

_FORMATS = {"s16": "S16_LE", "s32": "S32_LE"}
_RATE_HZ = 48_000
_BEGIN_S = 1.0
"""arecord that has neither delivered nor failed for so long has a device that keeps silent."""

_BUFFER_S = 0.5
_ANSWER_S = 5.0
_HARDWARE = "hw:"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+:")
"""An ALSA name with arguments, which is opened as it is: "hw:1,0", "dsnoop:Device"."""


class _Try(NamedTuple):
    device: str
    channels: int


def installed() -> bool:
    """Whether there is such a program."""
    return shutil.which("arecord") is not None


def devices() -> list[Device]:
    """Return ALSA's capture devices by their descriptions, hardware with its id, as PortAudio does."""
    try:
        done = subprocess.run(
            ["arecord", "-L"], capture_output=True, text=True, errors="replace", env=_environment(),
            timeout=_ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _missing(error) from error
    found: list[dict[str, Any]] = []
    for line in done.stdout.splitlines():
        if line[:1].strip():
            found.append({"index": len(found), "name": line, "pcm": line})
        elif found and found[-1]["name"].startswith(_HARDWARE) and "CARD=" in found[-1]["name"]:
            found[-1]["name"] = f"{line.strip()} ({found[-1]['pcm']})"
    return list(found)


def describe() -> list[dict[str, Any]]:
    """Return the devices as `capture.InputDevice` has them; what they can do shows when they open."""
    return [
        {**_shown(device), "host_api": "ALSA by arecord", "channels": None, "default_rate_hz": None}
        for device in devices()
    ]


def _shown(device: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": device["index"], "name": device["name"]}


def open_stream(wanted: Wanted) -> Opened:
    """Open the device; raises DeviceError where that fails, and its blocks where it is lost."""
    pcm = _pcm(wanted.device)
    counts = [wanted.channels] if wanted.channels else sorted({wanted.need, max(wanted.need, 2)})
    tries = [_Try(pcm, count) for count in counts]
    if pcm.startswith(_HARDWARE):  # last of all, let ALSA convert
        tries.append(_Try(f"plug{pcm}", counts[0]))
    errors: list[DeviceError] = []
    for attempt in tries:
        try:
            return _Recording(attempt, wanted).opened()
        except DeviceError as error:
            errors.append(error)
    raise errors[0]


def _pcm(device: str | int | None) -> str:
    if device is None:
        return "default"
    if isinstance(device, int):
        raise DeviceError(
            f"device {device} is PortAudio's number",
            hint="With arecord, take a name or an identity that `aed-daemon devices` shows.",
            code="misconfigured",
        )
    if _PLAIN.match(device):
        return device
    return str(choose(devices(), device, -1)["pcm"])


class _Recording:
    """One arecord, from its start to its end."""

    def __init__(self, attempt: _Try, wanted: Wanted) -> None:
        self._device, self._channels = attempt
        self._rate_hz = wanted.rate_hz or _RATE_HZ
        self._sample_bytes = attempt.channels * SAMPLE_BYTES[wanted.kind]
        self._said = b""
        self._overruns = 0
        command = [
            "arecord", "-t", "raw", "-D", attempt.device, "-f", _FORMATS[wanted.kind],
            "-r", str(self._rate_hz), "-c", str(attempt.channels),
            f"--period-time={BLOCK_S * 1e6:.0f}", f"--buffer-time={_BUFFER_S * 1e6:.0f}",
        ]  # fmt: skip
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0, env=_environment(),
            )  # fmt: skip
        except OSError as error:
            raise _missing(error) from error
        if self._process.stdout is None or self._process.stderr is None:
            raise DeviceError("arecord has no output")
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._open = [self._err, self._out]

    def opened(self) -> Opened:
        """Wait until it delivers or fails."""
        first = self._receive(time.monotonic() + _BEGIN_S)
        # ALSA takes the nearest rate that the device has, and says so.
        other = re.search(rb"rate is not accurate \(requested = \d+Hz, got = (\d+)Hz\)", self._said)
        rate_hz = int(other[1]) if other else self._rate_hz
        return Opened(rate_hz, self._channels, self._device, self._blocks(first), self._process.pid)

    def _receive(self, deadline_s: float | None = None) -> bytes:
        """Return what it has recorded, b"" after the deadline; what it says first is taken first."""
        while deadline_s is None or time.monotonic() < deadline_s:
            wait_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            ready = select.select(self._open, [], [], wait_s)[0]
            if self._err in ready:
                text = os.read(self._err, 4_096)
                self._said = (self._said + text)[-4_096:]
                self._overruns += text.count(b"overrun!!!")
                if not text:
                    self._open.remove(self._err)
            elif self._out in ready:
                data = os.read(self._out, 65_536)
                if not data:
                    raise self._ended()
                return data
        return b""

    def _blocks(self, held: bytes) -> Iterator[tuple[memoryview, bool]]:
        overruns = self._overruns
        while True:
            whole = len(held) - len(held) % self._sample_bytes
            if whole:
                now = self._overruns
                yield memoryview(held)[:whole], now != overruns
                held, overruns = held[whole:], now
            held += self._receive()

    def _ended(self) -> DeviceError:
        self._process.kill()
        self._process.wait()
        while self._err in self._open and (text := os.read(self._err, 4_096)):
            self._said += text
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        lines = self._said.decode(errors="replace").splitlines()
        said = [line for line in lines if line.strip() and not line.startswith("Recording ")]
        return DeviceError(
            "the device cannot be read by arecord",
            got=said[-1] if said else "its end",
            hint="Is it plugged in?",
        )


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}  # what it says is read


def _missing(error: Exception) -> DeviceError:
    return DeviceError("cannot use arecord", got=str(error), hint="Install the Debian package alsa-utils.")
