"""Evidence: what a history says about the thresholds of a class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import STEPS, Counts, Hour, Query, Sound

NEAR_MISSED_S = 3.0
"""What somebody missed is looked for so far around the time that was stated."""


@dataclass(frozen=True)
class Evidence:
    """One class, as one network under one rule has heard it.

    All counts are uint32 (256,), by strength in steps of `scale`.

    Attributes
    ----------
    class_ : str
        Slug.
    model_sha256, engine : str
        What was listening, last.
    scale : float
        Score of a step.
    on_steps, off_steps : int
        Present thresholds; below the second nothing was counted.
    heard_s : float
        Sound that was listened to, s, by all sources together.
    left_out_s : float
        Sound that was listened to with another network, or under another rule, s.
    excursions : ndarray
        Everything that a threshold decides on.
    right, wrong : ndarray
        Those of them that a user called so.
    missed : ndarray
        What a user missed, by the strength that it had; at 0 where no score came near.
    """

    class_: str
    model_sha256: str
    engine: str
    scale: float
    on_steps: int
    off_steps: int
    heard_s: float
    left_out_s: float
    excursions: Counts
    right: Counts
    wrong: Counts
    missed: Counts

    def alarms(self) -> NDArray[np.int64]:
        """Return how many events each threshold would have started, int64 (256,)."""
        return _from_above(self.excursions)

    def possibly_false(self) -> NDArray[np.int64]:
        """Return how many of them nobody called right."""
        return np.maximum(self.alarms() - _from_above(self.right), 0)

    def surely_false(self) -> NDArray[np.int64]:
        """Return how many of them somebody called wrong."""
        return _from_above(self.wrong)

    def unlabelled(self) -> NDArray[np.int64]:
        """Return how many of them nobody has said anything about."""
        return np.maximum(self.possibly_false() - self.surely_false(), 0)

    def true_sounds(self) -> int:
        """Return how many sounds were called right or missed."""
        return int(self.right.sum()) + int(self.missed.sum())

    def kept(self) -> NDArray[np.float64] | None:
        """Return which share of these each threshold finds, float64 (256,); None of none."""
        total = self.true_sounds()
        return _from_above(self.right + self.missed) / total if total else None


def _from_above(counts: Counts) -> NDArray[np.int64]:
    return np.cumsum(counts[::-1], dtype=np.int64)[::-1]


def gather(
    archive: Archive,
    since_ts: float | None = None,
    until_ts: float | None = None,
    classes: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> list[Evidence]:
    """Return the evidence on each class, in the order of their names.

    Of each class only those hours count that were heard by the network, on the engine and under the
    rule that were the last.

    Raises
    ------
    HistoryError
        There is no history, or it cannot be read.
    """
    by_class: dict[str, list[Hour]] = {}
    for hour in archive.hours(since_ts, until_ts, classes, sources):
        by_class.setdefault(hour.class_, []).append(hour)
    return [_evidence(archive, hours, since_ts, until_ts, sources) for _, hours in sorted(by_class.items())]


def _evidence(
    archive: Archive,
    hours: Sequence[Hour],
    since_ts: float | None,
    until_ts: float | None,
    sources: Sequence[str],
) -> Evidence:
    last = max(hours, key=lambda hour: hour.hour_ts)
    same = [hour for hour in hours if _listener(hour) == _listener(last)]
    first_ts = max(since_ts or 0.0, float(min(hour.hour_ts for hour in same)))
    query = Query(
        first_ts,
        until_ts,
        classes=(last.class_,),
        sources=tuple(sources),
        kinds=("event", "near_miss"),
        labels=("right", "wrong"),
        limit=1_000,
    )
    labelled = [
        sound
        for sound in archive.every(query)
        if (sound.model_sha256, sound.engine) == (last.model_sha256, last.engine)
    ]
    counted = {
        label: _by_strength((sound for sound in labelled if sound.label == label), last)
        for label in ("right", "wrong")
    }
    return Evidence(
        class_=last.class_,
        model_sha256=last.model_sha256,
        engine=last.engine,
        scale=last.scale,
        on_steps=last.on_steps,
        off_steps=int(json.loads(last.rule)["off_steps"]),
        heard_s=sum(hour.heard_s for hour in same),
        left_out_s=sum(hour.heard_s for hour in hours) - sum(hour.heard_s for hour in same),
        excursions=sum((hour.strengths for hour in same), np.zeros(STEPS, np.uint32)),
        right=counted["right"],
        wrong=counted["wrong"],
        missed=_missed(archive, last, query),
    )


def _listener(hour: Hour) -> tuple[str, str, str]:
    return hour.model_sha256, hour.engine, hour.rule


def _steps(sound: Sound, hour: Hour) -> int:
    """Return a sound's strength; of an event whose strength is not known, the threshold that it reached."""
    if sound.strength is None:
        return hour.on_steps if sound.kind == "event" else 0
    return min(STEPS - 1, round(sound.strength / hour.scale))


def _by_strength(sounds: Iterable[Sound], hour: Hour) -> Counts:
    return np.bincount([_steps(sound, hour) for sound in sounds], minlength=STEPS).astype(np.uint32)


def _missed(archive: Archive, hour: Hour, query: Query) -> Counts:
    """Return what was missed, by the strength of the strongest that was near in time."""
    counts = np.zeros(STEPS, np.uint32)
    for missed in archive.every(replace(query, kinds=("missed",), labels=())):
        around = replace(
            query,
            since_ts=missed.start_ts - NEAR_MISSED_S,
            until_ts=missed.start_ts + NEAR_MISSED_S,
            sources=() if missed.source is None else (missed.source,),
            labels=(),
        )
        near = [_steps(sound, hour) for sound in archive.every(around) if sound.label is None]
        counts[max(near, default=0)] += 1
    return counts
