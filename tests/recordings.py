"""The recordings beside the project, for the tests that need real sound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_DIR = Path(os.environ.get("AED_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))

CLASSES = (
    "dog",
    "rain",
    "sea_waves",
    "crying_baby",
    "clock_tick",
    "sneezing",
    "helicopter",
    "chainsaw",
    "rooster",
    "crackling_fire",
)


def esc10(fold: int | None = None) -> list[tuple[str, Path]]:
    """Return (class, file) of every clip, or of one fold; skip the test where they are absent."""
    folders = sorted((DATA_DIR / "esc10").glob("0*"))
    if len(folders) != len(CLASSES):
        pytest.skip(f"ESC-10 is not in {DATA_DIR}/esc10; set AED_DATA_DIR")
    pairs = [
        (slug, path) for slug, folder in zip(CLASSES, folders, strict=True) for path in folder.glob("*.ogg")
    ]
    return sorted(pair for pair in pairs if fold is None or pair[1].name.startswith(f"{fold}-"))


def speech() -> list[Path]:
    """Return clips of read speech; skip the test where they are absent."""
    clips = sorted((DATA_DIR / "negatives" / "clips").glob("[0-9]*-[0-9]*-[0-9]*.ogg"))
    if not clips:
        pytest.skip(f"no speech in {DATA_DIR}/negatives/clips; set AED_DATA_DIR")
    return clips
