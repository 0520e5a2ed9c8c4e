"""The capture child: a tiny program that copies a sound card's samples into a pipe.

A process of its own because PortAudio can hang inside C when a device is pulled out; a process can
be killed. It imports neither NumPy nor what needs it, and is the only importer of sounddevice.
`capture` starts it; by hand: ``python -m aed_daemon.audio.microphone --list``. What it writes is in
`framing`. It dies with its parent: when standard input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from aed_daemon.audio import arecord, soundserver
from aed_daemon.audio.backend import BLOCK_S, SAMPLE_BYTES, Opened, Wanted
from aed_daemon.audio.choice import AbsentError, Device, DeviceError, choose
from aed_daemon.audio.framing import ERROR, FORMAT, Pipe

_AGAIN_S = 1.0
"""Pause before a device that was not there is looked for again."""

_USUAL_RATES_HZ = (48_000, 44_100, 32_000, 16_000)
_TYPES = {"s16": "int16", "s32": "int32"}


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


def begin_again() -> None:
    """Let PortAudio look for devices anew: it lists them once, when it is initialised."""
    sounddevice = load_sounddevice()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise DeviceError("PortAudio cannot start", got=str(error)) from error


def input_devices() -> list[Device]:
    """Return the devices that have input channels; raises DeviceError as `load_sounddevice`."""
    sounddevice = load_sounddevice()
    names = [api["name"] for api in sounddevice.query_hostapis()]
    return [
        {**device, "index": index, "host_api": names[device["hostapi"]]}
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def describe() -> list[dict[str, Any]]:
    """Return the devices as `capture.InputDevice` has them."""
    return [
        {
            "index": device["index"],
            "name": device["name"],
            "host_api": device["host_api"],
            "channels": device["max_input_channels"],
            "default_rate_hz": round(device["default_samplerate"]),
        }
        for device in input_devices()
    ]


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
                    device=device["index"], channels=count, dtype=_TYPES[kind], samplerate=rate
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


def open_stream(wanted: Wanted) -> Opened:
    """Open the device; raises DeviceError where that fails, and its blocks where it is lost."""
    sounddevice = load_sounddevice()
    try:
        device = choose(input_devices(), wanted.device, sounddevice.default.device[0])
        rate_hz, channels = settings(
            sounddevice, device, wanted.rate_hz, wanted.channels, wanted.need, wanted.kind
        )
        stream = sounddevice.RawInputStream(
            samplerate=rate_hz,
            device=device["index"],
            channels=channels,
            dtype=_TYPES[wanted.kind],
            dither_off=True,
            clip_off=True,
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        raise _lost(error) from error
    return Opened(rate_hz, channels, device["name"], _blocks(sounddevice, stream, round(rate_hz * BLOCK_S)))


def _blocks(sounddevice: Any, stream: Any, samples: int) -> Iterator[tuple[memoryview, bool]]:
    while True:
        try:
            data, overflowed = stream.read(samples)
        except sounddevice.PortAudioError as error:
            raise _lost(error) from error
        yield memoryview(data).cast("B"), overflowed


def _lost(error: Exception) -> DeviceError:
    return DeviceError("the device cannot be read", got=str(error), hint="Is it plugged in?")


def open_auto(wanted: Wanted) -> Opened:
    """Open the device through PortAudio or, where that cannot, through arecord."""
    try:
        return open_stream(wanted)
    except AbsentError:
        raise
    except DeviceError as error:
        if not arecord.installed():
            raise
        try:
            return arecord.open_stream(wanted)
        except DeviceError:
            raise error from None


OPEN = {"auto": open_auto, "portaudio": open_stream, "arecord": arecord.open_stream}
"""Back-ends by the name that the configuration has for them."""


def await_device(wanted: Wanted, backend: str, patience_s: float) -> Opened:
    """Open the device; one that fails is tried again for `patience_s`, then raises DeviceError."""
    deadline_s = time.monotonic() + patience_s
    while True:
        try:
            return OPEN[backend](wanted)
        except DeviceError:
            if time.monotonic() + _AGAIN_S >= deadline_s:
                raise
        time.sleep(_AGAIN_S)
        if backend != "arecord":
            with contextlib.suppress(DeviceError):  # the next attempt says so
                begin_again()


def capture(pipe: Pipe, options: argparse.Namespace) -> None:
    """Copy from the device into the pipe until one of them is lost; raises DeviceError."""
    device = json.loads(options.device)
    wanted = Wanted(device, options.rate, options.channels, options.need, options.format)
    opened = await_device(wanted, options.backend, options.patience)
    watch = soundserver.StreamWatch(opened.pid)
    pipe.tell(
        FORMAT,
        {
            "rate_hz": opened.rate_hz,
            "channels": opened.channels,
            "format": wanted.kind,
            "device": opened.device,
        },
    )

    def moved(error: DeviceError) -> None:
        end_with(pipe, error)

    if watch.needed:
        threading.Thread(target=watch.run, args=(moved,), daemon=True).start()
    at, sample_bytes = 0, opened.channels * SAMPLE_BYTES[wanted.kind]
    for pcm, overflowed in opened.blocks:
        pipe.send(at, pcm, sample_bytes, overflowed)
        at += len(pcm) // sample_bytes


def describe_devices() -> dict[str, Any]:
    """Return what `--list` prints."""
    try:
        return {"devices": describe()}
    except DeviceError as error:
        if not arecord.installed():
            return {"error": error.fields}
    return {"devices": arecord.describe()}


def claim_stdout() -> int:
    """Return standard output as a descriptor of our own; what libraries print goes to the other one."""
    own = os.dup(1)
    os.dup2(2, 1)
    return own


def end_with(pipe: Pipe, error: DeviceError) -> None:
    """Tell the parent why there is no more sound, and end; from any thread."""
    with contextlib.suppress(BrokenPipeError):
        pipe.tell(ERROR, error.fields)
    end(1)


def end(status: int) -> None:
    """End at once, whatever PortAudio is doing, with all programs that were started."""
    if os.getpgrp() == os.getpid():  # started by `launch`; by hand, the group is the shell's
        os.killpg(0, signal.SIGKILL)
    os._exit(status)


def exit_with_parent() -> None:
    """Wait for the end of standard input, then end."""
    while os.read(0, 1):
        pass
    end(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the child; ends the process without PortAudio's own clean-up, which can hang."""
    parser = argparse.ArgumentParser(description="Copy a sound card's samples to standard output.")
    parser.add_argument("--list", action="store_true", help="print the input devices as JSON")
    parser.add_argument("--device", default="null", help="index, name or null, as JSON")
    parser.add_argument("--backend", choices=OPEN, default="auto")
    parser.add_argument("--rate", type=int, help="Hz; unset: the device's own")
    parser.add_argument("--channels", type=int, help="exactly so many")
    parser.add_argument("--need", type=int, default=1, help="at least so many channels")
    parser.add_argument("--format", choices=SAMPLE_BYTES, default="s16")
    parser.add_argument("--patience", type=float, default=0.0, help="wait so long for the device, s")
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
        end_with(pipe, error)
    except BrokenPipeError:  # the parent has gone
        end(1)


if __name__ == "__main__":
    main()
