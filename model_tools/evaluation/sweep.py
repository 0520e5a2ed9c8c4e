"""Which thresholds start an event where: the daemon's tracker over a trace, at all thresholds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aed_daemon.manifest import ModelManifest
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule
from aed_daemon.tracker import Tracker
from model_tools.evaluation.deployed import OFF_SHARE
from model_tools.evaluation.trace import Trace, hops


def off_steps(on_steps: int) -> int:
    """Return the steps at which a sound that started at `on_steps` no longer counts as heard."""
    return round(OFF_SHARE * on_steps)


def starts_at(
    trace: Trace, manifest: ModelManifest, rules: Sequence[ClassRule], steps: Sequence[int]
) -> NDArray[np.int64]:
    """Return how many events start, for each class at each threshold.

    Classes do not depend on each other, so each has a tracker of its own with a rule for every
    threshold. It is spared the hops at which it has nothing to do: neither is a sound open at any
    threshold, nor is one noticed. That changes no event, and most hops are such.

    Parameters
    ----------
    rules : sequence of ClassRule
        The daemon's, one per class; their thresholds are replaced.
    steps : sequence of int
        threshold_on to try, in steps above score 0, rising.

    Returns
    -------
    ndarray, int64 (rules, steps)
    """
    spec, zero_point = manifest.spec, manifest.output.zero_point
    counts = np.zeros((len(rules), len(steps)), np.int64)
    levels = LevelHistory(3 * spec.patch_frames)
    trackers: list[Tracker] = []
    busy = np.zeros((len(rules), len(trace.scores)), np.bool_)
    for row, rule in enumerate(rules):
        scores = trace.scores[:, rule.index].astype(np.int64) - zero_point
        # A smoothed score exceeds none of those that it averages.
        tried = [on for on in steps if on <= scores.max(initial=-1)]
        trackers.append(Tracker(_at(rule, tried), levels, zero_point, 1 << 30))
        if tried:
            busy[row] = _busy(scores, tried[0], rule, trace.hop_frames)
    if not busy.any():
        return counts
    any_busy = busy.any(axis=0)
    for number, (hop, _) in enumerate(hops(trace, spec, levels)):
        if not any_busy[number]:
            continue
        for row in np.flatnonzero(busy[:, number]):
            for event in trackers[row].push(hop):
                if event.type == "start":
                    counts[row, int(event.slug)] += 1
    return counts


def _at(rule: ClassRule, steps: Sequence[int]) -> list[ClassRule]:
    return [
        replace(rule, slug=str(number), on_steps=on, off_steps=off_steps(on))
        for number, on in enumerate(steps)
    ]


def _busy(scores: NDArray[np.int64], lowest: int, rule: ClassRule, hop_frames: int) -> NDArray[np.bool_]:
    """Return at which hops the tracker of a class may have something to do, bool (hops,).

    From the first hop that enters the average with a score that may be noticed, to the one at which
    a sound that was last audible has ended at every threshold.
    """
    noticed = scores >= lowest
    audible = scores >= off_steps(lowest)
    after = rule.smoothing_hops + -(-rule.end_after_frames // hop_frames) + 1
    busy = np.zeros(len(scores), np.bool_)
    open_until = -1
    for hop in np.flatnonzero(audible).tolist():
        if noticed[hop] or hop <= open_until:
            open_until = hop + after
            busy[max(0, hop - rule.smoothing_hops + 1) : open_until + 1] = True
    return busy
