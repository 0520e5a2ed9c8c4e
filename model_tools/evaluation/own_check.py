"""How well a network knows classes of a user's own: on recordings held out, and on sounds of no class.

It is judged as the daemon judges, at the manifest's thresholds, but on patches three quarters of their
length apart and before quantisation: a first figure, not a measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import MelStream, PatchStream
from aed_daemon.spec import FeatureSpec
from model_tools.architecture import Arrays
from model_tools.data.clip import Clip
from model_tools.data.synthetic_hours import KINDS, hour
from model_tools.evaluation.clips import HOP_FRAMES, clip_patches
from model_tools.evaluation.statistics import wilson

QUIET_MINUTES = 2
"""Of each kind of synthesised sound of no class, from families that training never draws."""


@dataclass(frozen=True)
class OwnCheck:
    """What a network made of clips that it had not seen.

    Attributes
    ----------
    n, right : int
        Clips held out, and those that would have started their own class and no other.
    missed : int
        Those that would have started nothing.
    wrong : list of (str, str, str)
        File, its class, and the other class that it would have started.
    alarms : dict
        Class -> starts in sounds of no class.
    minutes : int
        Of these sounds.
    """

    n: int
    right: int
    missed: int
    wrong: list[tuple[str, str, str]]
    alarms: dict[str, int]
    minutes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report."""
        low, high = wilson(self.right, self.n)
        return {
            "clips": self.n,
            "right": self.right,
            "ci95": [round(low, 3), round(high, 3)],
            "missed": self.missed,
            "wrong": [list(one) for one in self.wrong],
            "synthetic_minutes": self.minutes,
            "synthetic_alarms": self.alarms,
        }

    def __str__(self) -> str:
        low, high = wilson(self.right, self.n)
        return (
            f"{self.right} of {self.n} recordings that were held out start their class and no other "
            f"(95 % interval {low:.0%} to {high:.0%}), {self.missed} start nothing; "
            f"{sum(self.alarms.values())} false starts in {self.minutes} min of synthesised noise and tones"
        )


def check(
    weights: Arrays, clips: Sequence[Clip], outputs: Sequence[str], spec: FeatureSpec, threshold_on: float
) -> OwnCheck:
    """Play clips and sounds of no class to a network before quantisation.

    Parameters
    ----------
    weights : Arrays
        What a run left.
    clips : sequence of Clip
        Of classes, none of them seen by that run.
    outputs : sequence of str
        What the network's outputs are; the last is the background.
    threshold_on : float
        Score at which an event starts.
    """
    from aed_daemon.audio.file import decode
    from model_tools.training.activation import probabilities
    from model_tools.training.network import from_arrays

    network = from_arrays(weights).eval()
    right = missed = 0
    wrong = []
    for clip in clips:
        best = probabilities(network, clip_patches(decode(clip.path, spec.sample_rate_hz), spec)).max(axis=0)
        started = [slug for slug, score in zip(outputs[:-1], best, strict=False) if score >= threshold_on]
        others = [slug for slug in started if slug != clip.slug]
        right += started == [clip.slug]
        missed += not started
        wrong += [(clip.path.name, clip.slug, other) for other in others]
    alarms = dict.fromkeys(outputs[:-1], 0)
    for kind in KINDS:
        over = np.concatenate(
            [
                probabilities(network, patches)[:, :-1] >= threshold_on
                for patches in (
                    _patches(minute, spec) for minute in hour(kind, "test", minutes=QUIET_MINUTES)
                )
            ]
        )
        starts = over & ~np.concatenate([np.zeros_like(over[:1]), over[:-1]])
        for slug, count in zip(outputs[:-1], starts.sum(axis=0), strict=True):
            alarms[slug] += int(count)
    return OwnCheck(len(clips), right, missed, wrong, alarms, QUIET_MINUTES * len(KINDS))


def _patches(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    patches = PatchStream(spec, HOP_FRAMES).push(MelStream(spec).push(samples))
    return np.stack([patch.rows for patch in patches])
