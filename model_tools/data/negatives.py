"""Recordings of no class: where they all come together, by what they may be used for."""

from __future__ import annotations

from pathlib import Path

from model_tools.data.clip import Clip, Kind, Part
from model_tools.data.licences import UNKNOWN

HELD_OUT_NEGATIVES = ("5703-47212-0000", "Kevin_MacLeod_-_Vibe_Ace", "sorohanro_-_solo-trumpet-06")
"""Negatives that no training run sees, for measuring false alarms: a reader, a band, an instrument."""

_LIBROSA = "librosa-examples"


def negatives(root: Path, cache: Path, part: Part) -> list[Clip]:
    """Return all real recordings and all synthesised speech of a part.

    Parameters
    ----------
    root : Path
        Holds negatives/clips/, the examples of librosa; $AED_DATA_DIR.
    cache : Path
        Holds what `model-tools fetch negatives` fetched and synthesised; what is not there is left out.
    part : str
        Nothing of one part is in another: neither a package nor a voice, nor the same sound twice.

    Returns
    -------
    list of Clip
        Negatives, in an order that depends on names only.
    """
    from model_tools.data.packages import package_clips
    from model_tools.data.speech import speech_clips

    examples = read_negatives(root / "negatives" / "clips", held_out=part == "test")
    if part == "calibration":
        examples = []
    return [*examples, *package_clips(cache, part)[0], *speech_clips(cache, part)]


def read_negatives(root: Path, *, held_out: bool) -> list[Clip]:
    """List the examples of librosa: those to train on, or those held out for the test."""
    files = sorted((*root.glob("*.ogg"), *root.glob("*.wav"))) if root.is_dir() else []
    part: Part = "test" if held_out else "training"
    return [
        Clip(path, "", 0, path.stem, _LIBROSA, licence_beside(path), part, _kind(path.stem))
        for path in files
        if (path.stem in HELD_OUT_NEGATIVES) == held_out
    ]


def licence_beside(path: Path) -> str:
    """Return what the text beside a recording says of its licence, "unknown" without one."""
    beside = path.with_suffix(".txt")
    text = beside.read_text(errors="replace").lower() if beside.exists() else ""
    if "public domain" in text:
        return "public domain"
    for kind in ("by-sa", "by"):
        for version in ("4.0", "3.0"):
            if f"licenses/{kind}/{version}" in text:
                return f"CC-{kind.upper()}-{version}"
    return UNKNOWN


def _kind(stem: str) -> Kind:
    if stem[:1].isdigit() and stem.replace("-", "").isdigit():
        return "speech"
    animals = any(word in stem.lower() for word in ("robin", "humpback", "whale", "bird"))
    return "effects" if animals else "music"
