"""The figures of a model card, from what `evaluate` computed: so that text and figures cannot part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError

BEGIN, END = "<!-- figures: written by `make evaluate` -->", "<!-- end of the figures -->"

_CHANNELS = {
    "phone_8k": "sampled at 8 kHz",
    "codec": "Opus at 12 kbit/s or GSM, the worse of them",
    "reverb": "reverberation of 0.6 s, rooms of another kind than in training",
    "quiet_30db": "30 dB quieter",
    "snr_10db": "speech or music 10 dB below",
}
_KINDS = {
    "microphone_noise": "microphone noise, -90 to -50 dBFS",
    "hum": "hum",
    "tones": "tones",
    "speech": "speech",
}


def write_card(path: Path, figures: Mapping[str, Any]) -> None:
    """Put the figures into a model card, between its two marks; the rest of it stays.

    Raises
    ------
    AedError
        If the file is missing or has no such marks.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AedError(f"cannot read the model card ({error.strerror})", where=str(path)) from None
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise AedError(
            "the model card has no place for the figures", where=str(path), expected=f"{BEGIN} … {END}"
        )
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(f"{before}{BEGIN}\n\n{tables(figures)}\n{END}{after}", encoding="utf-8")
    temporary.replace(path)


def tables(figures: Mapping[str, Any]) -> str:
    """Return the figures as tables of Markdown; what could not be computed is a dash."""
    deployed, open_set = figures["deployed"], figures["open_set"]
    clips: list[tuple[str, ...]] = []
    for family, kinds in figures["esc10"].items():
        eight, before = kinds["int8"], kinds["float"]
        clips.append((f"*{family}*", _accuracy(eight), _accuracy(before), _folds(eight)))
    robust = [(told, _percent(figures["robust"][name]["clip_accuracy"])) for name, told in _CHANNELS.items()]
    recall, unknown = _percent(open_set["known_clip_recall"]), _percent(open_set["unknown_clips_firing"])
    middle, late = (_number(deployed[f"latency_s_{name}"], 2) for name in ("p50", "p95"))
    events = [
        (
            "event F1 on soundscapes at 6 to 20 dB, onset within 0.5 s, mean of the classes",
            _number(deployed["event_f1_macro"], 3),
        ),
        ("clips that start an event of their class", _percent(deployed["clip_recall"])),
        ("onset to decision, median and 95th percentile", f"{middle} s, {late} s"),
        (f"clips of unknown classes that start any event, where {recall} of the known start theirs", unknown),
    ]
    real, synthetic = (_number(deployed[f"hours_{kind}"], 1) for kind in ("real", "synthetic"))
    hours = f"{real} h of recordings, {synthetic} h synthesised"
    alarms = [
        (f"false alarms in {hours}", _count(deployed["false_alarms"])),
        ("so at most, with 95 % confidence", f"{_number(deployed['fa_per_hour_upper95'], 2)} an hour"),
        *((f"events in an hour of {told}", _count(figures["quiet"][name])) for name, told in _KINDS.items()),
    ]
    return "\n".join(
        [
            _table(
                ("clip accuracy, ESC-10, official folds", "int8", "before quantisation", "int8 by fold"),
                clips,
            ),
            _table(("through other channels, int8", "clip accuracy"), robust),
            _table(("as deployed, left-out folds", ""), events),
            _table(("the default model where none of its sounds is", ""), alarms),
        ]
    )


def stated(text: str) -> str:
    """Return the part of a model card that is between the marks."""
    found = re.search(re.escape(BEGIN) + r"\n\n(.*)\n" + re.escape(END), text, re.DOTALL)
    return found.group(1) if found else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _accuracy(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "-"
    low, high = found["ci95"]
    return f"{_percent(found['clip_accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"


def _folds(found: Mapping[str, Any] | None) -> str:
    return " ".join(f"{100 * value:.1f}" for value in found["per_fold"].values()) if found else "-"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)
