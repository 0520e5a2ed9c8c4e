"""ESC-50: fifty classes of forty clips, in five official folds, for non-commercial use.

Tested on folders made by the tests alone: the data set itself has not been at hand.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from aed_daemon.errors import AudioError
from model_tools.data.clip import Clip
from model_tools.data.esc10 import CC_SAMPLING_PLUS, fold_and_source
from model_tools.data.folders import slug_of

TABLE = Path("meta") / "esc50.csv"
_COLUMNS = ("filename", "fold", "category")

WHOLE_LICENCE, ESC10_LICENCE = "CC-BY-NC-3.0", "CC-BY-3.0"
"""Of the data set, and of the clips in it that are also in ESC-10.

Source: README of https://github.com/karolpiczak/ESC-50, section License.
"""

_NAMES = {
    "dog_bark": "dog",
    "baby_cry": "crying_baby",
    "person_sneeze": "sneezing",
    "fire_crackling": "crackling_fire",
}
"""Folder names of the older edition that differ from the categories of the table."""


def read_esc50(root: Path) -> list[Clip]:
    """List the clips of ESC-50: by meta/esc50.csv and audio/, or by a folder per class ("101 - Dog").

    The clips that ESC-10 has under CC Sampling+ are left out.

    Raises
    ------
    AudioError
        If table, folders, files or names are not as ESC-50 has them.
    """
    if (root / TABLE).is_file():
        return _by_table(root)
    folders = sorted(path for path in root.glob("[1-9]*") if path.is_dir() and _is_class(path.name))
    if not folders:
        raise AudioError(
            "not an ESC-50 folder",
            where=str(root),
            expected=f"{TABLE} and audio/, or folders named like `101 - Dog`",
            got="neither",
            hint="Give the folder that the archive of ESC-50 unpacks to.",
        )
    clips = []
    for folder in folders:
        slug = slug_of(folder.name.partition("-")[2])
        slug = _NAMES.get(slug, slug)
        for path in sorted((*folder.glob("*.ogg"), *folder.glob("*.wav"))):
            fold, source = fold_and_source(path, "ESC-50", takes=3)
            clips.append(_clip(path, slug, fold, source, in_esc10=False))
    return [clip for clip in clips if clip is not None]


def _is_class(name: str) -> bool:
    return re.match(r"\d{3} - \S", name) is not None


def _by_table(root: Path) -> list[Clip]:
    path = root / TABLE
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise AudioError(
                "the table of ESC-50 lacks a column",
                where=str(path),
                expected=", ".join(_COLUMNS),
                got=", ".join(rows.fieldnames or ("an empty file",)),
            )
        found = []
        for number, row in enumerate(rows, start=2):
            audio = root / "audio" / row["filename"]
            fold, source = fold_and_source(audio, "ESC-50", takes=4)
            if row["fold"] != str(fold):
                raise AudioError(
                    "fold and file name disagree",
                    where=f"{path}:{number}",
                    expected=f"fold {fold}, as in {row['filename']}",
                    got=row["fold"],
                    hint="The table has been edited; take the one of the data set.",
                )
            if not audio.is_file():
                raise AudioError(
                    "a file of the table is missing",
                    where=str(audio),
                    expected=f"what {path.name}:{number} names",
                    got="nothing",
                    hint="Unpack the archive again.",
                )
            in_esc10 = row.get("esc10", "").strip().lower() == "true"
            found.append(_clip(audio, slug_of(row["category"]), fold, source, in_esc10=in_esc10))
    return [clip for clip in found if clip is not None]


def _clip(path: Path, slug: str, fold: int, source: str, *, in_esc10: bool) -> Clip | None:
    if path.stem.rpartition("-")[0] in CC_SAMPLING_PLUS or path.stem in CC_SAMPLING_PLUS:
        return None
    return Clip(path, slug, fold, source, "esc50", ESC10_LICENCE if in_esc10 else WHOLE_LICENCE)
