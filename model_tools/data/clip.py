"""A recording, and what is known of it before it is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["training", "calibration", "test"]
"""What a negative may be used for; decided by its source, never by the clip."""

PARTS: tuple[Part, ...] = ("training", "calibration", "test")

Kind = Literal["", "music", "speech", "effects", "ambience", "own"]
"""What a negative is; effects are short sounds of things, ambience is long sounds of places, own are the
sounds that a user has put beside their classes."""


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
        Official fold, 1 to 5; 0 for a negative, or where there are no official folds.
    source : str
        Clips with the same source were cut from one recording: the freesound id of ESC's file name.
    collection : str
        Where it comes from: "esc10", "librosa-examples", "debian:wesnoth-1.16-music", "espeak-ng".
    licence : str
        SPDX-like name, "public domain", or "unknown".
    part : str
        Of a negative, what it may be used for.
    kind : str
        Of a negative, what it is; "" where that is not known.
    duration_s : float
        Length in seconds; 0 where it is not known before the file is decoded.
    label : str
        Its class as its owner writes it; "" where the slug is all that is known.
    sound : str
        Hash of the decoded samples, "" where they have not been heard.
    """

    path: Path
    slug: str
    fold: int
    source: str
    collection: str = ""
    licence: str = "unknown"
    part: Part = "training"
    kind: Kind = ""
    duration_s: float = 0.0
    label: str = ""
    sound: str = ""


def data_dir() -> Path:
    """Return AED_DATA_DIR, or ../shared/data beside the project."""
    given = os.environ.get("AED_DATA_DIR")
    return Path(given) if given else Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
