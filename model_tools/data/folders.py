"""Sounds of one's own: a table that names files and labels, or a folder per class."""

from __future__ import annotations

import csv
import re
import unicodedata
from pathlib import Path

from aed_daemon.errors import AudioError
from model_tools.data.clip import Clip

READABLE = frozenset({".wav", ".ogg", ".oga", ".flac", ".opus", ".mp3", ".aiff", ".aif", ".au"})
"""What the daemon's reader decodes."""

NO_CLASS = frozenset({"", "background", "negative", "negatives", "none", "other"})
"""Labels and folders of what is none of the classes."""

COLLECTION = "own"


def slug_of(label: str) -> str:
    """Return a label as a slug: `Crying baby` is crying_baby, `Säge` is sage.

    Raises
    ------
    AudioError
        If nothing of it is a letter or a digit.
    """
    plain = unicodedata.normalize("NFKD", label.strip().lower()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not slug and label.strip():
        raise AudioError(
            "a label without Latin letters or digits",
            where=label,
            expected="a name such as `door bell`",
            hint="Slugs become MQTT topics and names in C.",
        )
    return slug


def read_folders(root: Path) -> list[Clip]:
    """List the sounds of folders that are named after their classes; `background` is none of them.

    Each file counts as a recording of its own. Where several were cut from one recording, give a table
    with a column `source` instead, or a split may put pieces of it on both sides.

    Raises
    ------
    AudioError
        If there is no folder with sounds.
    """
    clips = []
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for folder in folders:
        slug = _class_of(folder.name)
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READABLE)
        clips += [
            Clip(
                path,
                slug,
                0,
                path.relative_to(root).with_suffix("").as_posix(),
                COLLECTION,
                label=folder.name,
            )
            for path in files
        ]
    if not clips:
        raise AudioError(
            "no sounds",
            where=str(root),
            expected="a folder per class with WAV, FLAC, Ogg or MP3 files in it",
            got=f"{len(folders)} folders without any" if root.is_dir() else "no such folder",
        )
    return clips


def read_table(path: Path) -> list[Clip]:
    """List the sounds of a CSV file with the columns file, label and, if wanted, fold, source, licence.

    Files are relative to the table. An empty label, or `background`, is none of the classes.

    Raises
    ------
    AudioError
        With file and line, for a missing column or file, a fold that is none, or no rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AudioError(
            "cannot read the table", where=str(path), expected="CSV in UTF-8", got=str(error)
        ) from None
    rows = csv.DictReader(text.splitlines())
    missing = [name for name in ("file", "label") if name not in (rows.fieldnames or ())]
    if missing:
        raise AudioError(
            f"the table lacks the column {missing[0]}",
            where=str(path),
            expected="a first line `file,label`, or with fold, source and licence",
            got=",".join(rows.fieldnames or ("an empty file",)),
        )
    clips = [_of_row(path, number, row) for number, row in enumerate(rows, start=2)]
    if not clips:
        raise AudioError(
            "the table is empty", where=str(path), expected="a line per sound", got="only the header"
        )
    return clips


def _of_row(table: Path, line: int, row: dict[str, str | None]) -> Clip:
    where = f"{table}:{line}"
    name, label = (row["file"] or "").strip(), (row["label"] or "").strip()
    file = table.parent / name
    if not name or not file.is_file():
        raise AudioError(
            "no such file", where=where, expected=f"{file}" if name else "a file name", got="nothing",
            hint="Files are relative to the table.",
        )  # fmt: skip
    fold = (row.get("fold") or "0").strip()
    if not fold.isdecimal():
        raise AudioError("not a fold", where=where, expected="a whole number, 0 for none", got=fold)
    source = (row.get("source") or "").strip() or Path(name).with_suffix("").as_posix()
    licence = (row.get("licence") or row.get("license") or "").strip() or "unknown"
    return Clip(file, _class_of(label), int(fold), source, COLLECTION, licence, label=label)


def _class_of(label: str) -> str:
    slug = slug_of(label)
    return "" if slug in NO_CLASS else slug
