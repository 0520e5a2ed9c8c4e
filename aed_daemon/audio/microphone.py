"""The capture child: a tiny program that copies a sound card's samples into a pipe.

A process of its own because PortAudio can hang inside C when a device is pulled out; a process can
be killed. It imports neither NumPy nor the rest of the package, and is the only importer of
sounddevice. `capture` starts it; by hand: ``python -m aed_daemon.audio.microphone --list``.

Messages of at most 4,096 bytes, which a pipe takes whole or not at all: a header (first native
sample's index, count, flags), then `count` samples of interleaved PCM, or `count` bytes of JSON
where the flags say FORMAT (the first message) or ERROR (the last). A full pipe loses the message,
never holds up the device; the next one that fits carries the flag GAP. The child dies with its
parent: when standard input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import signal
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HEADER = struct.Struct("<QHH")
MESSAGE_BYTES = 4_096  # PIPE_BUF of Linux: larger writes are not taken whole
GAP, FORMAT, ERROR = 1, 2, 4

_PIPE_BYTES = 1 << 20
_BLOCK_S = 0.016
_USUAL_RATES_HZ = (48_000, 44_100, 32_000, 16_000)
_SAMPLE_BYTES = {"s16": 2, "s32": 4}
_PORTAUDIO_TYPE = {"s16": "int16", "s32": "int32"}

Device = Mapping[str, Any]
"""PortAudio's description of a device, with `index` and `hostapi_name`."""


class DeviceError(Exception):
    """Why there is no sound; its fields become an AudioError in the parent."""

    def __init__(self, what: str, **fields: str) -> None:
        super().__init__(what)
        self.fields = {"what": what, **fields}


def load_sounddevice() -> Any:
    """Import sounddevice, which initialises PortAudio.

    Raises
    ------
    DeviceError
        Where PortAudio or sounddevice is not installed, or PortAudio cannot start.
    """
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            "cannot use microphones: the library PortAudio is missing",
            hint="Install the Debian package libportaudio2.",
        ) from error
    except ImportError as error:
        raise DeviceError(
            "cannot use microphones", got=str(error), hint="Install the Python package sounddevice."
        ) from error
    return sounddevice


def input_devices(sounddevice: Any) -> list[Device]:
    """Return the devices that have input channels."""
    names = [api["name"] for api in sounddevice.query_hostapis()]
    return [
        {**device, "index": index, "hostapi_name": names[device["hostapi"]]}
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def choose(devices: Sequence[Device], wanted: str | int | None, default_index: int) -> Device:
    """Return the device that `wanted` names.

    Parameters
    ----------
    devices : sequence of Device
        Input devices.
    wanted : str, int or None
        PortAudio's index; an ALSA id ("hw:1,0", "hw:Device", "hw:CARD=Device,DEV=0") or PCM name;
        a part of the name, in any case; None: the default.
    default_index : int
        PortAudio's default input device, -1 for none.

    Raises
    ------
    DeviceError
        Where none or several match; it names what there is.
    """
    if wanted is None:
        found = [device for device in devices if device["index"] == default_index] or list(devices[:1])
    elif isinstance(wanted, int):
        found = [device for device in devices if device["index"] == wanted]
    else:
        found = [device for device in devices if device["name"] == wanted]
        if not found and wanted.startswith("hw:"):
            found = [device for device in devices if alsa_id(wanted) in device["name"]]
        elif not found:
            found = [device for device in devices if wanted.lower() in device["name"].lower()]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f'{device["index"]} "{device["name"]}"' for device in found or devices)
    if found:
        raise DeviceError(
            f"several input devices match {wanted!r}", expected="one", got=listed, hint="Give one's index."
        )
    raise DeviceError(
        "no input device" if wanted is None else f"no input device matches {wanted!r}",
        got=f"there is {listed or 'none'}",
        hint="`aed-daemon devices` lists them.",
    )


def alsa_id(wanted: str, proc: Path = Path("/proc/asound")) -> str:
    """Return an ALSA id as PortAudio writes it at the end of a name: "(hw:1,0)", "(hw:1," for any."""
    card, _, device = wanted.removeprefix("hw:").replace("CARD=", "").replace("DEV=", "").partition(",")
    if not card.isdecimal():
        with contextlib.suppress(OSError):  # no such card: the name stays as it is, and matches nothing
            card = re.sub("^card", "", (proc / card).readlink().name)
    return f"(hw:{card},{device})" if device else f"(hw:{card},"


def settings(
    sounddevice: Any, device: Device, rate_hz: int | None, channels: int | None, need: int, kind: str
) -> tuple[int, int]:
    """Return the first (rate_hz, channels) that the device takes.

    Raises
    ------
    DeviceError
        Where it takes none that was asked for.
    """
    most = device["max_input_channels"]
    rates = [rate_hz] if rate_hz else [round(device["default_samplerate"]), *_USUAL_RATES_HZ]
    counts = [channels] if channels else [count for count in (need, 2, most) if need <= count <= most]
    reason = f"it has {most} channels"
    for rate in rates:
        for count in counts:
            try:
                sounddevice.check_input_settings(
                    device=device["index"], channels=count, dtype=_PORTAUDIO_TYPE[kind], samplerate=rate
                )
            except sounddevice.PortAudioError as error:
                reason = str(error)
            else:
                return rate, count
    raise DeviceError(
        "the device refuses",
        expected=f"{rates[0]} Hz, {channels or need} channels, {kind}",
        got=reason,
        hint="Leave rate_hz and channels unset to take what the device has.",
    )


class Pipe:
    """The way to the parent: whole messages or none, without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._gap = False
        os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # more than the system allows: the usual size will do
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def tell(self, flags: int, fields: Mapping[str, Any]) -> None:
        """Send fields as JSON, cut to what fits."""
        room = MESSAGE_BYTES - HEADER.size
        text = json.dumps(fields).encode()
        if len(text) > room:
            text = json.dumps({**fields, "got": str(fields.get("got"))[: room // 8]}).encode()
        os.set_blocking(self._descriptor, True)
        os.writev(self._descriptor, [HEADER.pack(0, len(text), flags), text])
        os.set_blocking(self._descriptor, False)

    def send(self, first_sample: int, pcm: memoryview, sample_bytes: int, overflowed: bool) -> None:
        """Send samples of `sample_bytes` bytes (all channels), in as many messages as it takes."""
        self._gap |= overflowed
        step = (MESSAGE_BYTES - HEADER.size) // sample_bytes * sample_bytes
        for at in range(0, len(pcm), step):
            part = pcm[at : at + step]
            flags = GAP if self._gap else 0
            header = HEADER.pack(first_sample + at // sample_bytes, len(part) // sample_bytes, flags)
            try:
                os.writev(self._descriptor, [header, part])
            except BlockingIOError:
                self._gap = True
            else:
                self._gap = False


def blocks(stream: Any, samples: int) -> Iterator[tuple[memoryview, bool]]:
    """Read the stream for ever."""
    while True:
        data, overflowed = stream.read(samples)
        yield memoryview(data).cast("B"), overflowed


def capture(pipe: Pipe, options: argparse.Namespace) -> None:
    """Copy from the device into the pipe until one of them is lost; raises DeviceError."""
    sounddevice = load_sounddevice()
    try:
        wanted = json.loads(options.device)
        device = choose(input_devices(sounddevice), wanted, sounddevice.default.device[0])
        kind = options.format
        rate_hz, channels = settings(sounddevice, device, options.rate, options.channels, options.need, kind)
        stream = sounddevice.RawInputStream(
            samplerate=rate_hz,
            device=device["index"],
            channels=channels,
            dtype=_PORTAUDIO_TYPE[kind],
            dither_off=True,
            clip_off=True,
        )
        stream.start()
        pipe.tell(
            FORMAT, {"rate_hz": rate_hz, "channels": channels, "format": kind, "device": device["name"]}
        )
        at, sample_bytes = 0, channels * _SAMPLE_BYTES[kind]
        for pcm, overflowed in blocks(stream, round(rate_hz * _BLOCK_S)):
            pipe.send(at, pcm, sample_bytes, overflowed)
            at += len(pcm) // sample_bytes
    except sounddevice.PortAudioError as error:
        raise DeviceError("the device cannot be read", got=str(error), hint="Is it plugged in?") from error


def describe_devices() -> dict[str, Any]:
    """Return what `--list` prints."""
    try:
        devices = input_devices(load_sounddevice())
    except DeviceError as error:
        return {"error": error.fields}
    return {
        "devices": [
            {
                "index": device["index"],
                "name": device["name"],
                "host_api": device["hostapi_name"],
                "channels": device["max_input_channels"],
                "default_rate_hz": round(device["default_samplerate"]),
            }
            for device in devices
        ]
    }


def claim_stdout() -> int:
    """Return standard output as a descriptor of our own; what libraries print goes to the other one."""
    own = os.dup(1)
    os.dup2(2, 1)
    return own


def exit_with_parent() -> None:
    """Wait for the end of standard input, then end at once, whatever PortAudio is doing."""
    while os.read(0, 1):
        pass
    os._exit(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the child; ends the process without PortAudio's own clean-up, which can hang."""
    parser = argparse.ArgumentParser(description="Copy a sound card's samples to standard output.")
    parser.add_argument("--list", action="store_true", help="print the input devices as JSON")
    parser.add_argument("--device", default="null", help="index, name or null, as JSON")
    parser.add_argument("--rate", type=int, help="Hz; unset: the device's own")
    parser.add_argument("--channels", type=int, help="exactly so many")
    parser.add_argument("--need", type=int, default=1, help="at least so many channels")
    parser.add_argument("--format", choices=_SAMPLE_BYTES, default="s16")
    options = parser.parse_args(arguments)
    output = claim_stdout()
    if options.list:
        with os.fdopen(output, "w") as file:
            file.write(json.dumps(describe_devices()) + "\n")
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Whoever stops the daemon may signal all its processes; the sound goes on until it says so.
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=exit_with_parent, daemon=True).start()
    pipe = Pipe(output)
    try:
        capture(pipe, options)
    except DeviceError as error:
        with contextlib.suppress(BrokenPipeError):
            pipe.tell(ERROR, error.fields)
    except BrokenPipeError:  # the parent has gone
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
