"""One way to read every data set: its layout is recognised or given, its classes chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from aed_daemon.errors import AudioError
from model_tools.data.clip import Clip
from model_tools.data.findings import Finding
from model_tools.data.folders import NO_CLASS, READABLE, read_folders, read_table, slug_of

Layout = Literal["esc10", "esc50", "fsd50k", "csv", "folders"]

LAYOUTS: tuple[Layout, ...] = ("esc10", "esc50", "fsd50k", "csv", "folders")


class Reading(NamedTuple):
    """What was read: the layout, the clips, and what was noticed on the way."""

    layout: Layout
    clips: list[Clip]
    findings: list[Finding]


def read_data(root: Path, layout: Layout | None = None, classes: Sequence[str] = ()) -> Reading:
    """Read a data set.

    Parameters
    ----------
    root : Path
        Its folder, or the table of `csv`; a folder that holds esc10/ will do for ESC-10.
    layout : str, optional
        One of `LAYOUTS`; by default what the folder looks like.
    classes : sequence of str
        Slugs to keep, in any order; by default all. Of FSD50K they may name its labels: `dog=Bark`,
        `bell=Church_bell`. Negatives are always kept.

    Raises
    ------
    AudioError
        If nothing is recognised, a class does not exist, or the data set is not as it should be.
    """
    if not root.exists():
        raise AudioError("no such data", where=str(root), expected="a folder or a table", got="nothing")
    layout = layout or recognised(root)
    wanted = dict(_class_and_labels(text) for text in classes)
    clips, findings = _read(root, layout, wanted)
    if wanted:
        there = {clip.slug for clip in clips if clip.slug}
        unknown = sorted(set(wanted) - there)
        if unknown:
            raise AudioError(
                f"no sounds of the class {unknown[0]}",
                where=str(root),
                expected=", ".join(sorted(there)) or "a class",
                got=unknown[0],
            )
        clips = [clip for clip in clips if not clip.slug or clip.slug in wanted]
    return Reading(layout, clips, findings)


def recognised(root: Path) -> Layout:
    """Return what a folder or file looks like.

    Raises
    ------
    AudioError
        If it looks like nothing that can be read.
    """
    if root.is_file():
        return "csv"
    if (root / "meta" / "esc50.csv").is_file():
        return "esc50"
    if (root / "FSD50K.ground_truth").is_dir():
        return "fsd50k"
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    numbered = [name for name in names if re.match(r"\d{3} - \S", name)]
    if (root / "esc10").is_dir() or (numbered and numbered == [name for name in numbered if name[0] == "0"]):
        return "esc10"
    if numbered:
        return "esc50"
    if len(list(root.glob("*.csv"))) == 1:
        return "csv"
    if any(path.suffix.lower() in READABLE for name in names for path in (root / name).rglob("*")):
        return "folders"
    raise AudioError(
        "no data set is recognised",
        where=str(root),
        expected="ESC-10, ESC-50, FSD50K, a CSV table with file and label, or a folder per class",
        got=", ".join(names[:5]) or "an empty folder",
        hint="Give --layout to be told what is missing.",
    )


def _read(root: Path, layout: Layout, wanted: dict[str, tuple[str, ...]]) -> tuple[list[Clip], list[Finding]]:
    if layout == "esc10":
        from model_tools.data.esc10 import read_esc10

        return read_esc10(root / "esc10" if (root / "esc10").is_dir() else root), []
    if layout == "esc50":
        from model_tools.data.esc50 import read_esc50

        return read_esc50(root), []
    if layout == "fsd50k":
        from model_tools.data.fsd50k import LABELS, read_fsd50k

        labels = {label: slug for slug, named in wanted.items() for label in named}
        chosen = {label: slug for label, slug in LABELS.items() if not wanted or slug in wanted}
        return read_fsd50k(root, labels or chosen)
    if layout == "csv":
        return read_table(_table(root)), []
    return read_folders(root), []


def _table(root: Path) -> Path:
    tables = [root] if root.is_file() else sorted(root.glob("*.csv"))
    if len(tables) != 1:
        raise AudioError(
            "which table?",
            where=str(root),
            expected="one CSV file",
            got=", ".join(path.name for path in tables) or "none",
            hint="Give the table itself with --data.",
        )
    return tables[0]


def _class_and_labels(text: str) -> tuple[str, tuple[str, ...]]:
    """Return slug and labels of `dog`, `dog=Bark` or `bell=Church_bell|Bicycle_bell`."""
    name, _, labels = text.partition("=")
    slug = slug_of(name)
    if slug in NO_CLASS:
        raise AudioError(
            "not a class", where="--classes", expected="names such as dog,rain", got=text or "nothing"
        )
    return slug, tuple(label for label in labels.split("|") if label)
