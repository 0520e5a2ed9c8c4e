"""FSD50K: fifty thousand clips of freesound with labels of AudioSet's ontology, several per clip.

Tested on folders made by the tests alone: the data set itself has not been at hand.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from aed_daemon.errors import AudioError
from model_tools.data.clip import Clip
from model_tools.data.findings import Finding

GROUND_TRUTH = "FSD50K.ground_truth"

LABELS: dict[str, str] = {
    "Bark": "dog",
    "Rain": "rain",
    "Waves_and_surf": "sea_waves",
    "Tick-tock": "clock_tick",
    "Sneeze": "sneezing",
    "Chicken_and_rooster": "rooster",
    "Crackle": "crackling_fire",
}
"""Labels that come closest to ESC-10's classes; FSD50K has none for a baby's crying alone, a helicopter
or a chainsaw, and its roosters come with hens."""

FOLDS: dict[str, int] = {"train": 1, "val": 2, "test": 3}
"""Its official split as folds: the development set's two parts, and the evaluation set."""

Subset = Literal["dev", "eval"]

_LICENCES = (
    ("publicdomain/zero", "CC0-1.0"),
    ("licenses/by-nc/4.0", "CC-BY-NC-4.0"),
    ("licenses/by-nc/3.0", "CC-BY-NC-3.0"),
    ("licenses/by/4.0", "CC-BY-4.0"),
    ("licenses/by/3.0", "CC-BY-3.0"),
    ("licenses/sampling+/1.0", "CC-Sampling-Plus-1.0"),
)
"""Addresses in the metadata; a licence that is not among them is unknown."""


def read_fsd50k(root: Path, labels: Mapping[str, str] = LABELS) -> tuple[list[Clip], list[Finding]]:
    """List the clips of FSD50K that have one of some labels.

    Parameters
    ----------
    root : Path
        Holds FSD50K.ground_truth with dev.csv, eval.csv or both, the audio folders, and, for licences
        and uploaders, FSD50K.metadata.
    labels : mapping
        Label of FSD50K -> slug; several labels may give one slug.

    Returns
    -------
    list of Clip, list of Finding
        Fold 1 is the part for training, 2 that for validation, 3 the evaluation set. The source is the
        uploader, whom FSD50K keeps on one side of its split, or without metadata the clip. A clip that
        has labels of two slugs is left out, with a warning.

    Raises
    ------
    AudioError
        If a table, a column, a file or a label is missing.
    """
    subsets: list[Subset] = [
        name for name in ("dev", "eval") if (root / GROUND_TRUTH / f"{name}.csv").is_file()
    ]
    if not subsets:
        raise AudioError(
            "not an FSD50K folder",
            where=str(root),
            expected=f"{GROUND_TRUTH}/dev.csv or eval.csv",
            got="neither",
            hint="Give the folder that holds FSD50K.ground_truth and FSD50K.dev_audio.",
        )
    _check_labels(root, labels)
    clips: list[Clip] = []
    findings: list[Finding] = []
    for subset in subsets:
        for clip, finding in _subset(root, subset, labels):
            clips += [clip] if clip else []
            findings += [finding] if finding else []
    return clips, findings


def _check_labels(root: Path, labels: Mapping[str, str]) -> None:
    vocabulary = root / GROUND_TRUTH / "vocabulary.csv"
    if not vocabulary.is_file():
        return
    with vocabulary.open(newline="", encoding="utf-8") as file:
        known = {row[1] for row in csv.reader(file) if len(row) > 1}
    unknown = sorted(set(labels) - known)
    if unknown:
        close = [name for name in sorted(known) if unknown[0].lower()[:4] in name.lower()]
        raise AudioError(
            f"FSD50K has no label {unknown[0]}",
            where=str(vocabulary),
            expected="one of its labels" + (f", such as {', '.join(close[:5])}" if close else ""),
            got=unknown[0],
        )


def _subset(
    root: Path, subset: Subset, labels: Mapping[str, str]
) -> list[tuple[Clip | None, Finding | None]]:
    table, audio = root / GROUND_TRUTH / f"{subset}.csv", root / f"FSD50K.{subset}_audio"
    facts = _metadata(root, subset)
    columns = ("fname", "labels", "split") if subset == "dev" else ("fname", "labels")
    found: list[tuple[Clip | None, Finding | None]] = []
    with table.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise AudioError(
                f"the table lacks the column {missing[0]}",
                where=str(table),
                expected=", ".join(columns),
                got=", ".join(rows.fieldnames or ("an empty file",)),
            )
        for number, row in enumerate(rows, start=2):
            slugs = sorted({labels[name] for name in row["labels"].split(",") if name in labels})
            path = audio / f"{row['fname']}.wav"
            if len(slugs) > 1:
                found.append((None, _ambiguous(path, slugs)))
            if len(slugs) != 1:
                continue
            split = "test" if subset == "eval" else row["split"]
            if subset == "dev" and split not in ("train", "val"):
                raise AudioError("not a split", where=f"{table}:{number}", expected="train or val", got=split)
            if not path.is_file():
                raise AudioError(
                    "a file of the table is missing",
                    where=str(path),
                    expected=f"what {table.name}:{number} names",
                    got="nothing",
                    hint="Unpack all parts of the archive.",
                )
            uploader, licence = facts.get(row["fname"], ("", "unknown"))
            source = f"uploader:{uploader}" if uploader else row["fname"]
            found.append((Clip(path, slugs[0], FOLDS[split], source, "fsd50k", licence), None))
    return found


def _ambiguous(path: Path, slugs: list[str]) -> Finding:
    return Finding(
        "warning",
        str(path),
        f"holds {' and '.join(slugs)}",
        "It is left out; its labels say what else it holds.",
    )


def _metadata(root: Path, subset: Subset) -> dict[str, tuple[str, str]]:
    """Return uploader and licence of each clip; nothing where there is no metadata."""
    path = root / "FSD50K.metadata" / f"{subset}_clips_info_FSD50K.json"
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AudioError("damaged metadata", where=str(path), expected="JSON", got=str(error)) from None
    return {
        name: (str(facts.get("uploader", "")), _licence(str(facts.get("license", ""))))
        for name, facts in read.items()
    }


def _licence(address: str) -> str:
    return next((name for part, name in _LICENCES if part in address), "unknown")
