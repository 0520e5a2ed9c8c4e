"""What there is to train on: ESC-10's clips with their folds, and recordings of none of its sounds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError, AudioError

LABELS: dict[str, str] = {
    "dog": "Dog",
    "rain": "Rain",
    "sea_waves": "Sea waves",
    "crying_baby": "Crying baby",
    "clock_tick": "Clock tick",
    "sneezing": "Sneezing",
    "helicopter": "Helicopter",
    "chainsaw": "Chainsaw",
    "rooster": "Rooster",
    "crackling_fire": "Crackling fire",
}
"""ESC-10's classes, slug -> name for people, in the order of its folders 001 to 010."""

SLUGS: tuple[str, ...] = tuple(LABELS)

CC_SAMPLING_PLUS = frozenset({"1-40730-A", "2-96460-A"})
"""Clips under a licence that forbids some uses: nothing that ships may learn from them."""

HELD_OUT_NEGATIVES = ("5703-47212-0000", "Kevin_MacLeod_-_Vibe_Ace", "sorohanro_-_solo-trumpet-06")
"""Negatives that no training run sees, for measuring false alarms: a reader, a band, an instrument."""

_DECODER = "aed_daemon.audio.file 1"
"""Changes when decoding changes, so that old cache files are not taken for new ones."""


@dataclass(frozen=True)
class Clip:
    """A recording and what is known of it.

    Attributes
    ----------
    path : Path
        The audio file.
    slug : str
        Its class, or "" for a negative.
    fold : int
        Official fold, 1 to 5; 0 for a negative.
    source : str
        Clips with the same source were cut from one recording: the freesound id of ESC's file name.
    """

    path: Path
    slug: str
    fold: int
    source: str


def data_dir() -> Path:
    """Return AED_DATA_DIR, or ../shared/data beside the project."""
    given = os.environ.get("AED_DATA_DIR")
    return Path(given) if given else Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def read_esc10(root: Path) -> list[Clip]:
    """List the clips of an ESC-10 folder, without those that must not be learnt from.

    Raises
    ------
    AudioError
        If the folder, a class or a file name is not as ESC-10 has it.

    Source: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", 2015; file names are
    fold-freesoundid-take.
    """
    folders = sorted(path for path in root.glob("0*") if path.is_dir()) if root.is_dir() else []
    if len(folders) != len(SLUGS):
        raise AudioError(
            "not an ESC-10 folder",
            where=str(root),
            expected=f"{len(SLUGS)} class folders, 001 to 010",
            got=str(len(folders)),
            hint="Set AED_DATA_DIR to the folder that holds esc10/ and negatives/, or give --data.",
        )
    clips = []
    for slug, folder in zip(SLUGS, folders, strict=True):
        for path in sorted((*folder.glob("*.ogg"), *folder.glob("*.wav"))):
            parts = path.stem.split("-")
            if len(parts) != 3 or parts[0] not in set("12345"):
                raise AudioError(
                    "not a file name of ESC-10", where=str(path), expected="FOLD-ID-TAKE", got=path.stem
                )
            if path.stem not in CC_SAMPLING_PLUS:
                clips.append(Clip(path, slug, int(parts[0]), parts[1]))
    return clips


def read_negatives(root: Path, *, held_out: bool) -> list[Clip]:
    """List the recordings of none of the classes: those to train on, or those held out."""
    files = sorted((*root.glob("*.ogg"), *root.glob("*.wav"))) if root.is_dir() else []
    return [Clip(path, "", 0, path.stem) for path in files if (path.stem in HELD_OUT_NEGATIVES) == held_out]


def check_leaks(training: Sequence[Clip], held_out: Sequence[Clip]) -> None:
    """Refuse a split where one recording gave clips to both sides.

    Raises
    ------
    AedError
        Naming the first such recording.
    """
    shared = {clip.source for clip in training} & {clip.source for clip in held_out}
    if shared:
        raise AedError(
            f"{len(shared)} recordings have clips on both sides of the split, the first is {min(shared)}",
            hint="Keep all clips of a recording in one fold.",
        )


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
    text = json.dumps([_DECODER, rate_hz, identity])
    return cache_dir / f"sound-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def write_cache(path: Path, sounds: Sequence[NDArray[np.float32]]) -> None:
    """Write sounds to one file: all samples in a row, and where each begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    ends = np.cumsum([len(sound) for sound in sounds])
    np.savez(temporary, samples=np.concatenate([*sounds, np.empty(0, np.float32)]), ends=ends)
    temporary.replace(path)


def read_cache(path: Path) -> list[NDArray[np.float32]]:
    """Read what `write_cache` wrote."""
    with np.load(path) as stored:
        return [np.array(part) for part in np.split(stored["samples"], stored["ends"][:-1])]
