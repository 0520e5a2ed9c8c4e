"""What a history holds, and how it is asked."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.events import iso_utc
from aed_daemon.history.errors import HistoryError

Kind = Literal["event", "near_miss", "missed"]
"""near_miss: a score that came near and started nothing; missed: a user says that it sounded."""

KINDS: tuple[Kind, ...] = ("event", "near_miss", "missed")

Label = Literal["right", "wrong", "missed"]

LABELS: tuple[Label, ...] = ("right", "wrong", "missed")

MAX_LIMIT = 1_000

STEPS = 256
"""Values of an int8 output."""

Counts = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that was heard, nearly heard, or missed. Times in seconds since 1970, levels in dBFS.

    What is not known is None: an event that goes on has no end, a near miss no level.

    Attributes
    ----------
    strength : float or None
        Largest `threshold_on` at which an event would have started, or has.
    label : str or None
        What a user said of it: right, wrong or missed.

    The others are as in `Event`.
    """

    id: str
    kind: Kind
    node: str
    source: str | None
    class_: str
    start_ts: float
    end_ts: float | None = None
    duration_s: float | None = None
    start_sample: int | None = None
    score_max: float | None = None
    score_mean: float | None = None
    strength: float | None = None
    rms_dbfs: float | None = None
    peak_dbfs: float | None = None
    floor_dbfs: float | None = None
    clipped: bool | None = None
    model_name: str | None = None
    model_sha256: str | None = None
    engine: str | None = None
    clip: str | None = None
    reason: str | None = None
    gap_before: bool | None = None
    clock_synced: bool | None = None
    epoch: str | None = None
    seq: int | None = None
    label: Label | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's types; `class` for the class, times as in events too."""
        values = {field.name.rstrip("_"): getattr(self, field.name) for field in fields(self)}
        values["start"] = iso_utc(self.start_ts)
        values["end"] = None if self.end_ts is None else iso_utc(self.end_ts)
        return values


COLUMNS = tuple(field.name.rstrip("_") for field in fields(Sound) if field.name != "label")
"""Of the table, in the order of `Sound`."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which sounds are wanted; what is empty or None limits nothing.

    Attributes
    ----------
    since_ts, until_ts : float or None
        Onset, from and before, seconds since 1970.
    classes, sources : tuple of str
        Slugs and names.
    min_score : float or None
        Least `score_max`; leaves out what has no score.
    labels : tuple of str
        right, wrong, missed, none.
    kinds : tuple of str
        event, near_miss, missed.
    limit : int
        Most sounds of a page, 1 to 1,000.
    cursor : str or None
        `Page.next` of the page before.
    """

    since_ts: float | None = None
    until_ts: float | None = None
    classes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    min_score: float | None = None
    labels: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("event",)
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Sounds, the newest onset first.

    Attributes
    ----------
    sounds : tuple of Sound
        At most `Query.limit`.
    next : str or None
        Cursor of the page that follows; None: there is none. What is heard meanwhile moves no page.
    """

    sounds: tuple[Sound, ...]
    next: str | None


@dataclass(frozen=True)
class Hour:
    """What one class came to in one hour, at one source, with one network under one rule.

    Attributes
    ----------
    hour_ts : int
        Its first second, since 1970.
    source, class_, model_sha256, engine, rule : str
        What it is of; `rule` is what decides on events beside the threshold.
    on_steps : int
        threshold_on as it was last, in steps of `scale`.
    scale : float
        Score of one step.
    heard_s : float
        Sound that was listened to, s.
    hops : int
        Decisions.
    scores, strengths : ndarray, uint32 (256,)
        Hops by score and excursions by strength, in steps.
    """

    hour_ts: int
    source: str
    class_: str
    model_sha256: str
    engine: str
    rule: str
    on_steps: int
    scale: float
    heard_s: float
    hops: int
    scores: Counts
    strengths: Counts


def packed(counts: Counts) -> bytes:
    """Return counts as they are stored."""
    return zlib.compress(counts.astype("<u4").tobytes(), 9)


def unpacked(blob: bytes) -> Counts:
    """Return stored counts, uint32 (256,); ValueError for what are none."""
    try:
        counts = np.frombuffer(zlib.decompress(blob), "<u4")
    except zlib.error as error:
        raise ValueError(f"counts cannot be read ({error})") from None
    if len(counts) != STEPS:
        raise ValueError(f"{len(counts)} counts where {STEPS} belong")
    return counts.astype(np.uint32)


def cursor_after(sound_id: str) -> str:
    """Return the cursor of what comes after a sound."""
    return base64.urlsafe_b64encode(f"1:{sound_id}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> str:
    """Return the id that a cursor stands at; HistoryError for what is no cursor."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    version, _, sound_id = text.partition(":")
    if version != "1" or len(sound_id) != 26:
        raise HistoryError("no cursor of this history", got=repr(cursor[:40]), hint="Begin without one.")
    return sound_id
