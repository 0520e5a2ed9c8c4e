"""Starting the capture process of a microphone; imports so little that it can be done first of all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from aed_daemon.audio.child import Child
from aed_daemon.config_sources import MicrophoneSource, Source
from aed_daemon.errors import AudioError

_MODULE = "aed_daemon.audio.microphone"


def command(*arguments: str) -> list[str]:
    """Return the command line of the capture program."""
    return [sys.executable, "-m", _MODULE, *arguments]


def environment() -> dict[str, str]:
    """Return this process's environment with the place where it found the package itself."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def microphone_name(device: str | int | None) -> str:
    """Return what to call a device in messages."""
    return f"microphone {'default' if device is None else device}"


def microphone_child(
    device: str | int | None,
    *,
    rate_hz: int | None,
    channels: int | None,
    need_channels: int,
    sample_format: Literal["s16", "s32"],
) -> Child:
    """Return the capture process of a device, not started; parameters as for `capture.MicrophoneSource`."""
    arguments = ["--device", json.dumps(device), "--format", sample_format, "--need", str(need_channels)]
    if rate_hz is not None:
        arguments += ["--rate", str(rate_hz)]
    if channels is not None:
        arguments += ["--channels", str(channels)]
    return Child(command(*arguments), microphone_name(device), environment=environment(), leash=True)


def launch(sources: Iterable[Source]) -> dict[str, Child]:
    """Start the capture processes of all microphones, so that they open while the daemon loads.

    One that cannot be started is left out: its source will try again and say why.

    Returns
    -------
    dict of str to Child
        By the name of the source.
    """
    started = {}
    for source in sources:
        if not isinstance(source, MicrophoneSource):
            continue
        child = microphone_child(
            source.device,
            rate_hz=source.rate_hz,
            channels=source.channels,
            need_channels=source.need_channels,
            sample_format=source.sample_format,
        )
        try:
            child.start()
        except AudioError:
            continue
        started[source.name] = child
    return started
