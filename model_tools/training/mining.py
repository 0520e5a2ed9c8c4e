"""Hard negatives: where a network takes a recording of no class for a class.

Most of what is not a class is told apart after a few looks; a run that goes on drawing it at random learns
little more from it. What still resembles a class is a few per cent, and is looked up here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import FeatureSpec
from model_tools.training import augment
from model_tools.training.bank import FLOOR, Segments
from model_tools.training.cut import Window, gather
from model_tools.training.feed import STRIDE_FRAMES
from model_tools.training.validation import Probabilities

HARD = (0.3, 0.5, 0.7)
"""A crop is listed once for each of these that a class's probability exceeds: the worse, the more often."""

_BATCH = 512

_FIRST = 24
"""Frames of a recording that are seen at least."""


def hard_windows(
    bank: Segments,
    labels: Sequence[int | None],
    outputs: int,
    spec: FeatureSpec,
    probabilities: Probabilities,
) -> NDArray[np.int32]:
    """Return the crops of recordings of no class in which a network finds a class.

    Windows that see only a recording's beginning are looked at too, as they are in a stream.

    Parameters
    ----------
    labels : sequence of int or None
        The output that each of the bank's clips teaches; the last is the background.
    probabilities : callable
        Patches, float32 (n, patch_frames, n_mels), -> probabilities (n, outputs).

    Returns
    -------
    ndarray, int32 (n, 2)
        Segment and first frame, which may lie before the segment.
    """
    patch = spec.patch_frames
    background = [
        segment
        for segment, clip in enumerate(bank.clip.tolist())
        if clip >= 0 and labels[clip] == outputs - 1
    ]
    places = [
        (segment, start)
        for segment in background
        for start in range(_FIRST - patch, max(1, int(bank.length[segment]) - _FIRST), STRIDE_FRAMES)
    ]
    found: list[NDArray[np.int32]] = [np.empty((0, 2), np.int32)]
    for first in range(0, len(places), _BATCH):
        part = places[first : first + _BATCH]
        windows = [Window(segment, start, 0, patch, False) for segment, start in part]
        patches = augment.to_log(gather(bank, windows, patch, FLOOR), spec)
        largest = probabilities(patches)[:, :-1].max(axis=1)
        often = np.sum([largest > limit for limit in HARD], axis=0)
        found.append(np.repeat(np.array(part, np.int32), often, axis=0))
    return np.concatenate(found)
