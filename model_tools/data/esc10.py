"""ESC-10: ten classes of forty clips, in five official folds."""

from __future__ import annotations

import re
from pathlib import Path

from aed_daemon.errors import AudioError
from model_tools.data.clip import Clip

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

LICENCES_FILE = "LICENSES-AND-SOURCES.txt"

_LICENCES = {"CC0": "CC0-1.0", "CC-BY": "CC-BY-3.0", "CC-Sampling+": "CC-Sampling-Plus-1.0"}
_WHOLE = "CC-BY-3.0"
"""Of the data set as a whole, as its README says, where the file that tells of each clip is missing."""


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
    licences = read_licences(root / LICENCES_FILE)
    clips = []
    for slug, folder in zip(SLUGS, folders, strict=True):
        for path in sorted((*folder.glob("*.ogg"), *folder.glob("*.wav"))):
            fold, source = fold_and_source(path, "ESC-10", takes=3)
            if path.stem not in CC_SAMPLING_PLUS:
                licence = licences.get(path.stem, _WHOLE)
                clips.append(Clip(path, slug, fold, source, "esc10", licence))
    return clips


def whole_esc10(root: Path) -> list[Clip]:
    """List all clips of an ESC-10 folder, those too that must not be learnt from: what is measured on.

    Raises
    ------
    AudioError
        As `read_esc10`.
    """
    learnt = read_esc10(root)
    listed = {clip.path.stem for clip in learnt}
    folders = sorted(path for path in root.glob("0*") if path.is_dir())
    others = [
        Clip(path, slug, int(path.stem[0]), path.stem.split("-")[1])
        for slug, folder in zip(SLUGS, folders, strict=True)
        for path in sorted((*folder.glob("*.ogg"), *folder.glob("*.wav")))
        if path.stem in CC_SAMPLING_PLUS - listed
    ]
    return sorted([*learnt, *others], key=lambda clip: (SLUGS.index(clip.slug), clip.path.name))


def fold_and_source(path: Path, data_set: str, takes: int) -> tuple[int, str]:
    """Return the fold and the freesound id in a file name of ESC, which has `takes` parts.

    Raises
    ------
    AudioError
        If the name is not FOLD-ID-TAKE, or FOLD-ID-TAKE-CLASS.
    """
    parts = path.stem.split("-")
    if len(parts) != takes or parts[0] not in set("12345"):
        raise AudioError(
            f"not a file name of {data_set}",
            where=str(path),
            expected="-".join(("FOLD", "ID", "TAKE", "CLASS")[:takes]),
            got=path.stem,
        )
    return int(parts[0]), parts[1]


def read_licences(path: Path) -> dict[str, str]:
    """Return the licence of each clip, by file name without ending; empty where there is no such file."""
    if not path.is_file():
        return {}
    lines = re.findall(r"^- \[([^\]]+)\.\w+\]:.*\[([^\]]+)\]\s*$", path.read_text(errors="replace"), re.M)
    return {stem: _LICENCES.get(licence, licence) for stem, licence in lines}
