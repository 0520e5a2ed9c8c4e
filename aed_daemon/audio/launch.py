"""Starting the capture process of a microphone; imports so little that it can be done first of all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aed_daemon.audio import identity
from aed_daemon.audio.child import Child
from aed_daemon.config_sources import MicrophoneSource, Source
from aed_daemon.errors import AudioError

_MODULE = "aed_daemon.audio.microphone"
_ROOT = Path("/")


@dataclass(frozen=True)
class Request:
    """A device, and how to open it.

    Attributes
    ----------
    device : str, int or None
        An identity of `identity`, a PortAudio index, an ALSA id or PCM name, a part of the name;
        None: the default.
    rate_hz : int or None
        None: the device's own.
    channels : int or None
        Exactly so many; None: as few as the device takes, but at least `need_channels`.
    need_channels : int
        One more than the highest channel that is listened to.
    sample_format : "s16" or "s32"
        What the device is asked for.
    backend : "auto", "portaudio" or "arecord"
        What opens it; auto: PortAudio, and arecord where that cannot.
    """

    device: str | int | None = None
    rate_hz: int | None = None
    channels: int | None = None
    need_channels: int = 1
    sample_format: Literal["s16", "s32"] = "s16"
    backend: Literal["auto", "portaudio", "arecord"] = "auto"

    @classmethod
    def of(cls, config: MicrophoneSource) -> Request:
        """Return what a source's configuration asks for."""
        return cls(
            config.device,
            config.rate_hz,
            config.channels,
            config.need_channels,
            config.sample_format,
            config.backend,
        )


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


def microphone_child(request: Request, patience_s: float = 0.0) -> Child:
    """Return the capture process of a device, not started.

    Raises
    ------
    AudioError
        Where the device is named by an identity that no card has now, or more than one.
    """
    device = request.device
    if isinstance(device, str) and identity.is_identity(device):
        device = identity.resolve(device, _ROOT)
    arguments = ["--device", json.dumps(device), "--backend", request.backend]
    arguments += ["--format", request.sample_format, "--need", str(request.need_channels)]
    arguments += ["--patience", str(patience_s)]
    if request.rate_hz is not None:
        arguments += ["--rate", str(request.rate_hz)]
    if request.channels is not None:
        arguments += ["--channels", str(request.channels)]
    return Child(command(*arguments), microphone_name(request.device), environment=environment(), leash=True)


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
        try:
            child = microphone_child(Request.of(source))
            child.start()
        except AudioError:
            continue
        started[source.name] = child
    return started
