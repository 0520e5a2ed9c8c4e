"""Thresholds from a budget of false alarms.

The rule. On sound in which no class sounds, the 95 % upper bound of the rate of false alarms (Poisson,
one-sided) must not exceed the budget, for real recordings and synthesised sound each by itself where it
is long enough to show that at all; where it is not, it may hold no alarm. Alarms are counted by the
daemon's own tracker at every threshold of every class. Of all ways to share the allowed alarms among the
classes, that one is taken which starts the right class in the largest share of validation clips, the mean
over classes; of equal thresholds the middle one. Without validation clips, the one with the least sum of
thresholds. No threshold is lower than the class's lowest; threshold_off is `OFF_SHARE` of threshold_on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import AedError
from aed_daemon.manifest import BACKGROUND, ModelManifest, Thresholds, manifest_path
from aed_daemon.rules import class_rules, steps_of
from model_tools.evaluation.deployed import OFF_SHARE
from model_tools.evaluation.listening import Heard
from model_tools.evaluation.statistics import most_alarms, poisson_upper95
from model_tools.evaluation.sweep import off_steps, starts_at
from model_tools.evaluation.trace import Trace

Mapper = Callable[[Callable[[Trace], NDArray[np.int64]], Iterable[Trace]], Iterable[NDArray[np.int64]]]

LOWEST, LOWEST_BRIEF = 0.5, 0.4
"""No class starts at a score lower than "more likely than not"; but one of brief sounds, whose scores are
not averaged, does: on validation soundscapes a bark was told in 0.73 s at 0.4, in 1.21 s at 0.5, the median
of each, and the event F1 was the same."""

GROUPS = ("real", "synthetic")

_ALARM_COST = 1e-6
"""Of two choices that find as much, the one with fewer alarms."""


@dataclass(frozen=True)
class Material:
    """What the thresholds are chosen by.

    Attributes
    ----------
    slugs : tuple of str
        The classes.
    steps : ndarray, int (steps,)
        Thresholds tried, in steps of the output above score 0.
    hours : tuple of float
        Length of the real and of the synthesised negatives.
    alarms : ndarray, int (2, classes, steps)
        Starts on them.
    recall : ndarray, float64 (classes, steps), or None
        Share of the validation clips of each class that start it.
    clips : int
        Validation clips.
    lowest : tuple of int
        Of each class, the first of the steps that it may have; all may have all if empty.
    """

    slugs: tuple[str, ...]
    steps: NDArray[np.int64]
    hours: tuple[float, float]
    alarms: NDArray[np.int64]
    recall: NDArray[np.float64] | None
    clips: int
    lowest: tuple[int, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The thresholds chosen.

    Attributes
    ----------
    columns : tuple of int
        Of each class, which of the steps.
    allowed, alarms : tuple of int
        Alarms on real and synthesised negatives that the budget allows, and that remain.
    """

    columns: tuple[int, ...]
    allowed: tuple[int, int]
    alarms: tuple[int, int]

    @property
    def met(self) -> bool:
        """Whether the budget is met."""
        return all(count <= most for count, most in zip(self.alarms, self.allowed, strict=True))


def gather(
    manifest: ModelManifest,
    negatives: Iterable[Heard],
    clips: Iterable[tuple[str, Heard]] = (),
    *,
    lowest: float | None = None,
    detection: DetectionConfig | None = None,
    each: Mapper = map,
) -> Material:
    """Count what each threshold of each class would start.

    Parameters
    ----------
    negatives : iterable of Heard
        Sound in which no class sounds.
    clips : iterable of (str, Heard)
        Validation clips, each with its class.
    lowest : float, optional
        Least threshold of every class (default: `LOWEST`, or `LOWEST_BRIEF`).
    each : callable
        As `map`: how the traces are gone through, `Listeners.map` for more than one process.

    Raises
    ------
    AedError
        If there are validation clips, but none of some class.
    """
    rules = class_rules(detection or DetectionConfig(), manifest)
    slugs = tuple(rule.slug for rule in rules)
    floors = [
        steps_of(
            (LOWEST_BRIEF if rule.smoothing_hops == 1 else LOWEST) if lowest is None else lowest,
            manifest.output,
        )
        for rule in rules
    ]
    steps = _tried(min(floors), 127 - manifest.output.zero_point)
    alarms = np.zeros((2, len(rules), len(steps)), np.int64)
    hours = [0.0, 0.0]
    counted = partial(starts_at, manifest=manifest, rules=rules, steps=steps.tolist())
    listened, played = list(negatives), list(clips)
    for heard, starts in zip(listened, each(counted, [h.trace for h in listened]), strict=True):
        group = 0 if heard.stream.real else 1
        hours[group] += heard.hours
        alarms[group] += starts
    starting, there = np.zeros((len(rules), len(steps))), np.zeros(len(rules), np.int64)
    for (slug, _), starts in zip(played, each(counted, [h.trace for _, h in played]), strict=True):
        row = slugs.index(slug)
        there[row] += 1
        starting[row] += starts[row] > 0
    missing = [slug for slug, count in zip(slugs, there.tolist(), strict=True) if not count]
    if there.any() and missing:
        raise AedError(
            "the validation clips lack classes that the network knows",
            expected="at least one clip of each class",
            got=f"none of {', '.join(missing)}",
        )
    recall = starting / there[:, None] if there.any() else None
    first = tuple(int(column) for column in np.searchsorted(steps, floors))
    return Material(slugs, steps, (hours[0], hours[1]), alarms, recall, int(there.sum()), first)


def _tried(lowest: int, highest: int) -> NDArray[np.int64]:
    """Return thresholds from `lowest` to `highest`: every other step, and every one of the last eighth."""
    close = highest - highest // 8
    return np.array(
        [step for step in range(lowest, highest + 1) if step >= close or (step - lowest) % 2 == 0]
    )


def check_hours(hours: Sequence[float], per_hour: float) -> None:
    """Refuse too little material.

    Raises
    ------
    AedError
        If not even silence in all of it would show that the budget is met.
    """
    least = -log(0.05) / per_hour
    if sum(hours) < least:
        raise AedError(
            f"too few hours of negatives to show {per_hour:g} false alarms per hour",
            expected=f"at least {least:.1f} h, in which there would have to be none",
            got=f"{sum(hours):.1f} h",
            hint="Give more recordings in which no class sounds, or a larger budget.",
        )


def choose(material: Material, per_hour: float) -> Choice:
    """Choose the thresholds that keep to a budget, or, where none do, come closest.

    Parameters
    ----------
    per_hour : float
        False alarms per hour, all classes together.

    Raises
    ------
    AedError
        If there are too few hours of negatives.
    """
    check_hours(material.hours, per_hour)
    allowed = tuple(max(0, most_alarms(per_hour, hours)) for hours in material.hours)
    # What stays even at the highest thresholds has to be borne.
    least = material.alarms[:, :, -1].sum(axis=1)
    limit = (max(allowed[0], int(least[0])), max(allowed[1], int(least[1])))
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, ())}
    for row in range(len(material.slugs)):
        following: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
        for (real, synthetic), (value, columns) in best.items():
            for cost, worth, column in _options(material, row):
                spent = (real + cost[0], synthetic + cost[1])
                if spent[0] > limit[0] or spent[1] > limit[1]:
                    continue
                candidate = (value + worth, (*columns, column))
                if spent not in following or candidate[0] > following[spent][0]:
                    following[spent] = candidate
        best = following
    alarms, (_, columns) = max(best.items(), key=lambda item: item[1][0])
    return Choice(columns, (allowed[0], allowed[1]), alarms)


def _options(material: Material, row: int) -> list[tuple[tuple[int, int], float, int]]:
    """Return what a class can have: alarms, worth, and the threshold in the middle of those that give it."""
    groups: dict[tuple[int, int, float], list[int]] = {}
    for column, step in enumerate(material.steps.tolist()):
        if material.lowest and column < material.lowest[row]:
            continue
        real, synthetic = (int(n) for n in material.alarms[:, row, column])
        found = -float(step) / 255.0 if material.recall is None else float(material.recall[row, column])
        groups.setdefault((real, synthetic, found), []).append(column)
    options = [
        ((real, synthetic), found - _ALARM_COST * (real + synthetic), columns[len(columns) // 2])
        for (real, synthetic, found), columns in groups.items()
    ]
    return [
        option
        for option in options
        if not any(
            other[1] >= option[1] and other[0][0] <= option[0][0] and other[0][1] <= option[0][1]
            for other in options
            if other is not option and (other[1] > option[1] or other[0] != option[0])
        )
    ]


def calibrated(
    manifest: ModelManifest, material: Material, choice: Choice, facts: dict[str, Any], *, exact: bool | None
) -> ModelManifest:
    """Return the manifest with the thresholds chosen, and what they were chosen by among its metrics.

    Parameters
    ----------
    facts : dict
        What else is to be told: budget, engine, seeds.
    exact : bool or None
        Whether the thresholds are for engines that give the bytes of the reference kernels, or for those
        that do not; None for all.
    """
    columns = dict(zip(material.slugs, choice.columns, strict=True))
    scale = manifest.output.scale
    labels = []
    for label in manifest.labels:
        if label.slug in columns:
            on = int(material.steps[columns[label.slug]])
            pair = Thresholds(threshold_on=min(1.0, on * scale), threshold_off=off_steps(on) * scale)
            chosen = {"xnnpack": pair} if exact is False else dict(pair)
            label = label.model_copy(update={"xnnpack": None} | chosen if exact is None else chosen)
        labels.append(label)
    kind = "all" if exact is None else "exact" if exact else "xnnpack"
    earlier = {} if exact is None else manifest.metrics.get("calibration", {})
    told = {**earlier, kind: {**facts, **summary(material, choice)}}
    values = manifest.model_copy(
        update={"labels": labels, "metrics": {**manifest.metrics, "calibration": told}}
    )
    return ModelManifest.model_validate_json(values.to_json())


def summary(material: Material, choice: Choice) -> dict[str, Any]:
    """Return what was chosen by, for metrics and reports."""
    columns = list(choice.columns)
    rows = range(len(columns))
    recall = None if material.recall is None else float(material.recall[rows, columns].mean())
    return {
        "met": choice.met,
        "hours": {name: round(h, 2) for name, h in zip(GROUPS, material.hours, strict=True)},
        "allowed": dict(zip(GROUPS, choice.allowed, strict=True)),
        "alarms": dict(zip(GROUPS, choice.alarms, strict=True)),
        "per_hour_upper95": {
            name: round(poisson_upper95(count, hours), 3) if hours else None
            for name, count, hours in zip(GROUPS, choice.alarms, material.hours, strict=True)
        },
        "by_class": {
            slug: [int(n) for n in material.alarms[:, row, column]]
            for row, (slug, column) in enumerate(zip(material.slugs, columns, strict=True))
            if material.alarms[:, row, column].any()
        },
        "validation_clips": material.clips,
        "validation_recall": None if recall is None else round(recall, 4),
        "off_share": OFF_SHARE,
    }


def write_manifest(model: Path, manifest: ModelManifest) -> None:
    """Write a manifest beside its model, whole or not at all."""
    path = manifest_path(model)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(manifest.to_json(), encoding="utf-8")
    temporary.replace(path)


def thresholds(manifest: ModelManifest) -> dict[str, float]:
    """Return threshold_on by class."""
    labels = [label for label in manifest.labels if label.slug != BACKGROUND]
    return {label.slug: round(label.threshold_on, 4) for label in labels}
