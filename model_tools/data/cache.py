"""Decoded sound, kept so that a second run need not decode it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_tools.data.clip import Clip
from model_tools.data.disk import new_file

DECODER = "aed_daemon.audio.file 1"
"""Changes when decoding changes, so that old cache files are not taken for new ones."""


def load(
    clips: Sequence[Clip], rate_hz: int, cache_dir: Path, step: Callable[[], None] = lambda: None
) -> list[NDArray[np.float32]]:
    """Decode clips, or take what an earlier run decoded.

    Parameters
    ----------
    clips : sequence of Clip
        What to decode.
    rate_hz : int
        Rate of the result.
    cache_dir : Path
        Where decoded sound is kept: one file per set of clips, named by a hash of names, sizes and rate.
    step : callable
        Called after each clip, for a progress bar.

    Raises
    ------
    AudioError
        If a file is missing, damaged or holds no sound.

    Returns
    -------
    list of ndarray, float32 (n,)
        The samples of each clip, full scale 1.0.
    """
    path = cache_path(clips, rate_hz, cache_dir)
    if path.exists():
        for _ in clips:
            step()
        return read_cache(path)
    from aed_daemon.audio.file import decode

    sounds = []
    for clip in clips:
        sounds.append(decode(clip.path, rate_hz))
        step()
    write_cache(path, sounds)
    return sounds


def cache_path(clips: Sequence[Clip], rate_hz: int, cache_dir: Path) -> Path:
    """Return where the decoded sound of `clips` is kept."""
    identity = [(clip.path.parent.name, clip.path.name, clip.path.stat().st_size) for clip in clips]
    text = json.dumps([DECODER, rate_hz, identity])
    return cache_dir / f"sound-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def write_cache(path: Path, sounds: Sequence[NDArray[np.float32]]) -> None:
    """Write sounds to one file: all samples in a row, and where each begins.

    Raises
    ------
    AedError
        If the disk is full or the folder cannot be written; nothing is left then.
    """
    ends = np.cumsum([len(sound) for sound in sounds])
    with new_file(path) as file:
        np.savez(file, samples=np.concatenate([*sounds, np.empty(0, np.float32)]), ends=ends)


def read_cache(path: Path) -> list[NDArray[np.float32]]:
    """Read what `write_cache` wrote."""
    with np.load(path) as stored:
        return [np.array(part) for part in np.split(stored["samples"], stored["ends"][:-1])]
