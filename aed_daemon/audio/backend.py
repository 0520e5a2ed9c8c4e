"""What the capture child asks of a back-end, and what it gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

BLOCK_S = 0.016
SAMPLE_BYTES = {"s16": 2, "s32": 4}


@dataclass(frozen=True)
class Wanted:
    """A device and its settings.

    Attributes
    ----------
    device : str, int or None
        As for `choice.choose`.
    rate_hz, channels : int or None
        None: the device's own.
    need : int
        At least so many channels.
    kind : str
        "s16" or "s32".
    """

    device: str | int | None
    rate_hz: int | None
    channels: int | None
    need: int
    kind: str


@dataclass(frozen=True)
class Opened:
    """A device that delivers.

    Attributes
    ----------
    rate_hz, channels : int
        What it delivers.
    device : str
        Its name.
    blocks : iterator of (memoryview, bool)
        Whole samples as bytes, and whether some were lost before them; ends with DeviceError.
    pid : int
        The process that has opened it.
    """

    rate_hz: int
    channels: int
    device: str
    blocks: Iterator[tuple[memoryview, bool]]
    pid: int = field(default_factory=os.getpid)
