"""The open set: networks that leave classes out, and what they make of the clips of those classes.

A threshold common to the known classes is chosen so that a share of known clips start their own class,
on clips that are not reported on: those of the network's validation fold if it has one; else the left-out
clips of the other rotations, heard by their networks. Then the share of the unknown clips that start any
event at all is counted, on the left-out fold, clips in continuous audio through gate and tracker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import BACKGROUND, ModelManifest
from aed_daemon.rules import class_rules
from model_tools.evaluation.listening import Heard
from model_tools.evaluation.statistics import auroc, wilson
from model_tools.evaluation.sweep import starts_at
from model_tools.evaluation.trace import Trace

RECALL = 0.85
"""Share of the known clips that must start their own class."""

SCORES = ("largest class", "1 - background", "margin")
"""What a clip can be ranked by: over its hops the largest class probability, the least background, the
largest distance from a class to whatever comes next."""

_STEPS = tuple(range(13, 256, 2))


@dataclass(frozen=True)
class OpenClip:
    """A clip and what a network made of it.

    Attributes
    ----------
    name, slug : str
        The clip and its class.
    known : bool
        Whether the network knows the class.
    needed : int
        Steps of the threshold up to which it starts what it is judged by: a known clip its own class,
        an unknown one any class; 0 if never.
    scores : tuple of float
        The clip by each of `SCORES`.
    """

    name: str
    slug: str
    known: bool
    needed: int
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Rotation:
    """A network that leaves classes out.

    Attributes
    ----------
    name : str
        The network.
    strangers : tuple of str
        Classes left out.
    clips : sequence of OpenClip
        The left-out fold.
    validation : sequence of OpenClip
        Known clips of its validation fold, none if it has none.
    """

    name: str
    strangers: tuple[str, ...]
    clips: Sequence[OpenClip]
    validation: Sequence[OpenClip] = ()


def open_clip(manifest: ModelManifest, slug: str, heard: Heard) -> OpenClip:
    """Return what a network made of a clip of a class that it knows, or does not."""
    rules = class_rules(DetectionConfig(), manifest)
    starts = starts_at(heard.trace, manifest, rules, _STEPS) > 0
    slugs = [rule.slug for rule in rules]
    known = slug in slugs
    judged = starts[slugs.index(slug)] if known else starts.any(axis=0)
    reached = np.flatnonzero(judged)
    needed = _STEPS[int(reached[-1])] if len(reached) else 0
    return OpenClip(heard.stream.name, slug, known, needed, clip_scores(heard.trace, manifest))


def clip_scores(trace: Trace, manifest: ModelManifest) -> tuple[float, ...]:
    """Return a clip's place by each of `SCORES`; 0 for a clip that never opened the gate."""
    probabilities = trace.probabilities(manifest)
    heard = probabilities[probabilities.any(axis=1)]
    if not len(heard):
        return (0.0,) * len(SCORES)
    classes = [i for i, slug in enumerate(manifest.slugs) if slug != BACKGROUND]
    largest = heard[:, classes].max(axis=1)
    ordered = np.sort(heard, axis=1)
    best = heard.argmax(axis=1)
    margin = np.where(np.isin(best, classes), ordered[:, -1] - ordered[:, -2], 0.0)
    background = list(manifest.slugs).index(BACKGROUND) if BACKGROUND in manifest.slugs else None
    not_background = 1.0 - heard[:, background] if background is not None else largest
    return float(largest.max()), float(not_background.max()), float(margin.max())


def threshold_for(known: Iterable[OpenClip], recall: float = RECALL) -> int:
    """Return the highest threshold, in steps, at which so large a share of known clips start their class.

    0 where none does: so many never start it.
    """
    needed = np.sort([clip.needed for clip in known])[::-1]
    if not len(needed):
        return 0
    return int(needed[int(np.ceil(recall * len(needed))) - 1])


def evaluate(rotations: Sequence[Rotation]) -> dict[str, Any] | None:
    """Return the figures over all rotations; None if no threshold can be chosen on other clips.

    Parameters
    ----------
    rotations : sequence of Rotation
        Each with the clips of its left-out fold.
    """
    details = []
    firing: list[bool] = []
    recalled: list[bool] = []
    for number, rotation in enumerate(rotations):
        chosen_on = [clip for clip in rotation.validation if clip.known] or [
            clip
            for other in (*rotations[:number], *rotations[number + 1 :])
            for clip in other.clips
            if clip.known
        ]
        if not chosen_on:
            return None
        threshold = threshold_for(chosen_on)
        fires = [clip.needed >= threshold > 0 for clip in rotation.clips if not clip.known]
        recalls = [clip.needed >= threshold > 0 for clip in rotation.clips if clip.known]
        firing, recalled = firing + fires, recalled + recalls
        details.append(
            {
                "network": rotation.name,
                "strangers": list(rotation.strangers),
                "threshold": round(threshold / 256.0, 3),
                "chosen_on": len(chosen_on),
                "unknown_clips_firing": round(float(np.mean(fires)), 4) if fires else None,
                "known_clip_recall": round(float(np.mean(recalls)), 4) if recalls else None,
            }
        )
    if not firing or not recalled:
        return None
    areas = {name: _area(rotations, column) for column, name in enumerate(SCORES)}
    return {
        "unknown_clips_firing": round(float(np.mean(firing)), 4),
        "known_clip_recall": round(float(np.mean(recalled)), 4),
        "auroc": areas[SCORES[0]]["auroc"],
        "n": len(firing),
        "ci95": [round(bound, 4) for bound in wilson(sum(firing), len(firing))],
        "n_known": len(recalled),
        "auroc_by_score": areas,
        "rotations": details,
    }


def _area(rotations: Sequence[Rotation], column: int) -> dict[str, Any]:
    """Return the area over the clips of all rotations together, and the mean of each by itself."""
    known, unknown = ([_scores(r, column, known=k) for r in rotations] for k in (True, False))
    area, interval = auroc(np.concatenate(known), np.concatenate(unknown))
    apart = [auroc(k, u)[0] for k, u in zip(known, unknown, strict=True) if len(k) and len(u)]
    return {
        "auroc": round(area, 4),
        "ci95": [round(bound, 4) for bound in interval],
        "mean_of_rotations": round(float(np.mean(apart)), 4),
    }


def _scores(rotation: Rotation, column: int, *, known: bool) -> NDArray[np.float64]:
    return np.array([clip.scores[column] for clip in rotation.clips if clip.known == known], np.float64)
