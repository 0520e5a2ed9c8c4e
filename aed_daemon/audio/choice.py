"""Which of the devices that a back-end lists is meant, in the capture child."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Device = Mapping[str, Any]
"""What a back-end knows of a device: `index` and `name`; PortAudio's also rate and channels."""


class DeviceError(Exception):
    """Why there is no sound; its fields become an AudioError in the parent.

    Parameters
    ----------
    what : str
        As AudioError's.
    **fields : str
        `expected`, `got`, `hint`, `code` of an AudioError.
    """

    def __init__(self, what: str, **fields: str) -> None:
        super().__init__(what)
        self.fields = {"what": what, **fields}


class AbsentError(DeviceError):
    """There is no such device now; no other back-end would find it either."""


def choose(devices: Sequence[Device], wanted: str | int | None, default_index: int) -> Device:
    """Return the device that `wanted` names.

    Parameters
    ----------
    devices : sequence of Device
        Input devices.
    wanted : str, int or None
        The index; an ALSA id ("hw:1,0", "hw:Device", "hw:CARD=Device,DEV=0") or PCM name;
        a part of the name, in any case; None: the default.
    default_index : int
        Index of the default input device, -1 for none.

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
            f"several input devices match {wanted!r}",
            expected="one",
            got=listed,
            hint="Take an identity that `aed-daemon devices` shows.",
            code="misconfigured",
        )
    raise AbsentError(
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
