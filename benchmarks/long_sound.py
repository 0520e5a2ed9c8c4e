"""Sound for long runs: a stretch of the synthesised soundscape in a file, which a source then loops."""

from __future__ import annotations

import json
import wave
from pathlib import Path

from aed_daemon.audio.demo import DemoSource
from aed_daemon.audio.resample import Resampler
from tests.sounds import to_s16

SOURCE = "porch"
RATE_HZ = 16_000
"""Of the samples that events count: the model's."""

_FILE_RATE_HZ = 48_000
_SECOND_BLOCKS = 50


def write(path: Path, seconds: float, seed: int) -> Path:
    """Write a soundscape in which no sound comes twice, at a rate that has to be resampled."""
    source = DemoSource(seed=seed, speed=None)
    source.open()
    resampler = Resampler(RATE_HZ, _FILE_RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_FILE_RATE_HZ)
        for _ in range(round(seconds * _SECOND_BLOCKS)):
            block = source.read()
            if block is None:
                break
            file.writeframes(to_s16(resampler.push(block.samples[:, 0])).tobytes())
    return path


def looped(path: Path) -> str:
    """Return the configuration of a source that plays a file for ever, as fast as it is heard."""
    return f'name = "{SOURCE}"\ntype = "file"\npath = {json.dumps(str(path))}\nloop = true\nrealtime = false'
