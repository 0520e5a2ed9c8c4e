"""Real recordings of no class."""

from __future__ import annotations

from pathlib import Path

from model_tools.data.clip import Clip

HELD_OUT_NEGATIVES = ("5703-47212-0000", "Kevin_MacLeod_-_Vibe_Ace", "sorohanro_-_solo-trumpet-06")
"""Negatives that no training run sees, for measuring false alarms: a reader, a band, an instrument."""


def read_negatives(root: Path, *, held_out: bool) -> list[Clip]:
    """List the recordings of none of the classes: those to train on, or those held out."""
    files = sorted((*root.glob("*.ogg"), *root.glob("*.wav"))) if root.is_dir() else []
    return [Clip(path, "", 0, path.stem) for path in files if (path.stem in HELD_OUT_NEGATIVES) == held_out]
