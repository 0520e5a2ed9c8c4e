"""Sound files for the tests."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_wav(path: Path, samples: NDArray[np.float32], rate_hz: int = 16_000) -> Path:
    """Write float32 (n,) as 16-bit mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(to_s16(samples).tobytes())
    return path


def to_s16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return float32 full scale 1.0 as 16-bit integers."""
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767), "<i2")


def quiet(seconds: float, dbfs: float = -75.0, seed: int = 0) -> NDArray[np.float32]:
    """Return the noise of a quiet microphone."""
    noise = np.random.default_rng(seed).standard_normal(int(16_000 * seconds))
    return np.asarray(noise * 10 ** (dbfs / 20), np.float32)


def soundscape(seed: int, seconds: float = 12.0) -> NDArray[np.float32]:
    """Return a stretch of the package's own soundscape, from its first dog on."""
    from aed_daemon.audio.demo import DemoSource

    source = DemoSource(seed=seed, speed=None)
    source.open()
    blocks: list[NDArray[np.float32]] = []
    while sum(block.size for block in blocks) < seconds * 16_000:
        block = source.read()
        if block is None:
            break
        blocks.append(block.samples[:, 0])
    return np.asarray(np.concatenate(blocks)[: int(seconds * 16_000)])
