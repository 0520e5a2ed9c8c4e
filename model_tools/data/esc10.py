"""ESC-10: ten classes of forty clips, in five official folds."""

from __future__ import annotations

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
