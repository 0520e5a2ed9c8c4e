"""PSDS: how much of the truth is found over all thresholds, against false alarms per hour.

A found event is right if at least `dtc` of it lies in true events of its class; a true one is found if
at least `gtc` of it is covered by such. What is not right is a false alarm. Cross-triggers cost nothing
here and classes are averaged (alpha_ct = alpha_st = 0), so the score is the area under the mean over
classes of the share found, a staircase in the class's false alarms per hour from 0 to `e_max`.

Source: C. Bilen et al., "A framework for the robust evaluation of sound event detection", ICASSP 2020;
psds_eval 0.5.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from model_tools.evaluation.events import Event


@dataclass(frozen=True)
class PsdsParameters:
    """Detection and ground-truth tolerance, and where the false alarms per hour end."""

    dtc: float = 0.7
    gtc: float = 0.7
    e_max: float = 100.0

    def as_dict(self) -> dict[str, float]:
        """Return all parameters of the metric, those that are fixed here included."""
        return {**asdict(self), "cttc": 0.0, "alpha_ct": 0.0, "alpha_st": 0.0}


class Rates(NamedTuple):
    """Of a class at a threshold: the share of its true events that is found, and false alarms per hour."""

    found: float
    false_per_hour: float


def rates(
    there: Sequence[Event], found: Sequence[Event], slug: str, hours: float, parameters: PsdsParameters
) -> Rates:
    """Return how a class fares at one threshold.

    Parameters
    ----------
    there, found : sequence of Event
        The truth and the answer; events of a class in a scene do not overlap.
    hours : float
        Length of all scenes.
    """
    truths = [event for event in there if event.slug == slug]
    answers = [event for event in found if event.slug == slug and event.offset_s > event.onset_s]
    overlap = np.array([[_overlap(truth, answer) for answer in answers] for truth in truths])
    overlap = overlap.reshape(len(truths), len(answers))
    lengths = np.array([answer.offset_s - answer.onset_s for answer in answers])
    right = overlap.sum(axis=0) / lengths >= parameters.dtc if answers else np.empty(0, bool)
    true_lengths = np.array([truth.offset_s - truth.onset_s for truth in truths])
    covered = overlap[:, right].sum(axis=1) / true_lengths >= parameters.gtc if truths else np.empty(0, bool)
    # As psds_eval counts: right events that cover too little of their truth are neither.
    false = int(np.count_nonzero(~right))
    return Rates(float(covered.mean()) if truths else float("nan"), false / hours)


def _overlap(one: Event, other: Event) -> float:
    if one.scene != other.scene:
        return 0.0
    return max(0.0, min(one.offset_s, other.offset_s) - max(one.onset_s, other.onset_s))


def psds(points: Mapping[str, Sequence[Rates]], parameters: PsdsParameters) -> float:
    """Return the score, 0 to 1, of the rates of each class over the thresholds."""
    edges = np.unique([0.0, parameters.e_max, *(p.false_per_hour for rs in points.values() for p in rs)])
    edges = edges[edges <= parameters.e_max]
    heights = np.zeros(len(edges))
    for rs in points.values():
        best = [max((p.found for p in rs if p.false_per_hour <= edge), default=0.0) for edge in edges]
        heights += np.array(best) / len(points)
    return float(np.sum(np.diff(edges) * heights[:-1])) / parameters.e_max


def as_dict(score: float, parameters: PsdsParameters) -> dict[str, Any]:
    """Return the score with its parameters, for a report."""
    return {"psds": round(score, 4), **parameters.as_dict()}
