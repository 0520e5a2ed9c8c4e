"""Clip accuracy over folds and seeds: every clip by the networks that have not seen its fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_tools.data import cache
from model_tools.data.esc10 import SLUGS, whole_esc10
from model_tools.evaluation.clips import Scores, clip_patches
from model_tools.evaluation.listening import RATE_HZ, Engine, Listeners, classifier
from model_tools.evaluation.statistics import mcnemar, wilson

Samples = NDArray[np.float32]


class FoldClip(NamedTuple):
    """A clip of ESC-10, decoded: class, name, official fold, samples at 16 kHz."""

    slug: str
    name: str
    fold: int
    samples: Samples


def fold_clips(root: Path, cache_dir: Path, step: Callable[[], None] = lambda: None) -> list[FoldClip]:
    """Return all 400 clips of ESC-10: those that nothing may learn from too, for nothing learns here.

    Parameters
    ----------
    root : Path
        The folder esc10/.
    cache_dir : Path
        Where decoded sound is kept.

    Raises
    ------
    AudioError
        If it is not an ESC-10 folder.
    """
    clips = whole_esc10(root)
    sounds = cache.load(clips, RATE_HZ, cache_dir, step)
    return [
        FoldClip(clip.slug, clip.path.stem, clip.fold, sound)
        for clip, sound in zip(clips, sounds, strict=True)
    ]


@dataclass(frozen=True)
class ClipTable:
    """What networks said to clips.

    Attributes
    ----------
    names : tuple of str
        The clips.
    folds : ndarray, int (n,)
        The official fold of each.
    labels : ndarray, int (n,)
        Index of its class in `SLUGS`.
    means : ndarray, float64 (n, 10)
        Mean probability of each class over its patches; 0 for a class that the network does not know.
    """

    names: tuple[str, ...]
    folds: NDArray[np.int64]
    labels: NDArray[np.int64]
    means: NDArray[np.float64]

    @property
    def found(self) -> NDArray[np.int64]:
        """The class that came out of each, int (n,); of equal ones the first."""
        return np.asarray(self.means.argmax(axis=1), np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether that is its class, bool (n,)."""
        return np.asarray(self.found == self.labels)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """True class by found class, int (10, 10)."""
        matrix = np.zeros((len(SLUGS), len(SLUGS)), np.int64)
        np.add.at(matrix, (self.labels, self.found), 1)
        return matrix


def joined(tables: Sequence[ClipTable]) -> ClipTable:
    """Return tables of different clips as one, by name of clip, so that two of them can be compared."""
    names = [name for table in tables for name in table.names]
    order = np.argsort(np.array(names), kind="stable")
    return ClipTable(
        tuple(names[i] for i in order),
        np.concatenate([table.folds for table in tables])[order],
        np.concatenate([table.labels for table in tables])[order],
        np.concatenate([table.means for table in tables])[order],
    )


def score_clips(
    clips: Sequence[FoldClip], outputs: Sequence[str], means: Iterable[NDArray[np.float64]]
) -> ClipTable:
    """Put what a network said to clips in a table; `means` are the means of all its outputs."""
    rows = np.stack(list(means))
    known = np.zeros((len(clips), len(SLUGS)))
    for column, slug in enumerate(SLUGS):
        if slug in outputs:
            known[:, column] = rows[:, list(outputs).index(slug)]
    return ClipTable(
        tuple(clip.name for clip in clips),
        np.array([clip.fold for clip in clips]),
        np.array([SLUGS.index(clip.slug) for clip in clips]),
        known,
    )


def int8_means(listeners: Listeners, model: Path, sounds: Iterable[Samples]) -> Iterable[NDArray[np.float64]]:
    """Yield the mean output of a model file for each sound, float64 (outputs,), in the pool's processes."""
    return listeners.map(partial(_mean, listeners.deployed(model), listeners.runtime), sounds)


def _mean(model: Path, engine: Engine, samples: Samples) -> NDArray[np.float64]:
    network = classifier(model, engine)
    output = network.manifest.output
    steps = np.stack([network.scores(rows) for rows in clip_patches(samples, network.manifest.spec)])
    mean = (steps.astype(np.float64) - output.zero_point).mean(axis=0) * output.scale
    return np.asarray(mean, np.float64)


def float_means(scores: Scores, sounds: Iterable[Samples], spec: Any) -> Iterable[NDArray[np.float64]]:
    """Yield the mean output of a network in this process for each sound, float64 (outputs,)."""
    for samples in sounds:
        yield scores(clip_patches(samples, spec)).mean(axis=0)


def accuracy(tables: Mapping[int, ClipTable]) -> dict[str, Any]:
    """Return clip accuracy over seeds: the mean, its interval for as many clips as there are, the spread.

    Parameters
    ----------
    tables : mapping of int to ClipTable
        By seed; the folds of a seed joined. Another seed is another network on the same clips, so the
        interval is that of one seed's clips.
    """
    shares = {seed: float(table.right.mean()) for seed, table in tables.items()}
    first = next(iter(tables.values()))
    n, mean = len(first.names), float(np.mean(list(shares.values())))
    low, high = wilson(mean * n, n)
    folds = sorted(set(first.folds.tolist()))
    return {
        "clip_accuracy": round(mean, 4),
        "n": n,
        "ci95": [round(low, 4), round(high, 4)],
        "per_fold": {
            str(fold): round(float(np.mean([t.right[t.folds == fold].mean() for t in tables.values()])), 4)
            for fold in folds
        },
        "per_seed": {str(seed): round(share, 4) for seed, share in shares.items()},
        "spread": round(max(shares.values()) - min(shares.values()), 4),
    }


def by_class(table: ClipTable) -> dict[str, dict[str, float | None]]:
    """Return precision, recall and F1 of each class that is there."""
    confusion, figures = table.confusion, {}
    for row, slug in enumerate(SLUGS):
        right, there, found = confusion[row, row], confusion[row].sum(), confusion[:, row].sum()
        if there:
            figures[slug] = {
                "precision": round(float(right / found), 4) if found else None,
                "recall": round(float(right / there), 4),
                "f1": round(float(2 * right / (there + found)), 4),
            }
    return figures


def pr_curve(table: ClipTable, slug: str) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return recall, precision and average precision of a class.

    Recall rises as the mean probability that a clip must reach falls.

    Source: average precision as the sum of precision over the steps in recall, without interpolation.
    """
    column = SLUGS.index(slug)
    scores, truth = table.means[:, column], table.labels == column
    order = np.argsort(-scores, kind="stable")
    # Clips of equal probability come in together.
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order])[last]
    recall, precision = hits / max(1, truth.sum()), hits / (last + 1)
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return np.asarray(recall), np.asarray(precision), average


def compared(one: ClipTable, other: ClipTable) -> dict[str, Any]:
    """Return how two networks differ on the same clips.

    Raises
    ------
    ValueError
        If the clips are not the same.
    """
    if one.names != other.names:
        raise ValueError("the two tables are not of the same clips")
    only_one = int(np.count_nonzero(one.right & ~other.right))
    only_other = int(np.count_nonzero(other.right & ~one.right))
    return {
        "difference": round(float(one.right.mean() - other.right.mean()), 4),
        "only_first_right": only_one,
        "only_second_right": only_other,
        "mcnemar_p": round(mcnemar(only_one, only_other), 4),
    }
