"""Splits that keep the clips of a recording together, and the report of those that do not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aed_daemon.errors import AedError
from model_tools.data.clip import Clip

Sounds = Mapping[Path, str]
"""Hash of the decoded sound of a file, as far as it is known: the same sound may have two names."""


class Leak(NamedTuple):
    """Something that has clips on both sides of a split.

    Attributes
    ----------
    what : str
        "recording 77", or "the same sound".
    training, held_out : list of Path
        Its files on either side.
    """

    what: str
    training: list[Path]
    held_out: list[Path]

    def __str__(self) -> str:
        return f"{self.what}: {self.training[0].name} is in training, {self.held_out[0].name} is held out"


def leaks(training: Sequence[Clip], held_out: Sequence[Clip], sounds: Sounds | None = None) -> list[Leak]:
    """Return what has clips on both sides, by source recording and by sound, the largest first."""
    found: dict[str, Leak] = {}
    for name, of in (("recording", _by_source), ("sound", _by_sound)):
        one, other = of(training, sounds or {}), of(held_out, sounds or {})
        for key in sorted(one.keys() & other.keys()):
            leak = Leak(f"{name} {key}" if name == "recording" else "the same sound", one[key], other[key])
            found.setdefault(f"{leak.training} {leak.held_out}", leak)
    return sorted(found.values(), key=lambda leak: -len(leak.training) - len(leak.held_out))


def _by_source(clips: Sequence[Clip], _: Sounds) -> dict[str, list[Path]]:
    groups = defaultdict(list)
    for clip in clips:
        groups[clip.source].append(clip.path)
    return groups


def _by_sound(clips: Sequence[Clip], sounds: Sounds) -> dict[str, list[Path]]:
    groups = defaultdict(list)
    for clip in clips:
        if clip.path in sounds:
            groups[sounds[clip.path]].append(clip.path)
    return groups


def check_leaks(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    *,
    sounds: Sounds | None = None,
    allow_leaks: bool = False,
) -> list[Leak]:
    """Refuse a split where one recording gave clips to both sides, or return what leaks if told to.

    Parameters
    ----------
    training, held_out : sequence of Clip
        The two sides.
    sounds : mapping, optional
        With it, the same sound under two names is a leak as well.
    allow_leaks : bool
        Do not refuse.

    Raises
    ------
    AedError
        Naming the first such recording.
    """
    found = leaks(training, held_out, sounds)
    if found and not allow_leaks:
        first = sorted(leak.what.removeprefix("recording ") for leak in found)[0]
        raise AedError(
            f"{len(found)} recordings have clips on both sides of the split, the first is {first}",
            got=str(found[0]),
            hint="Keep all clips of a recording in one fold; a measurement that leaks tells too much.",
        )
    return found


def with_folds(
    clips: Sequence[Clip], *, folds: int = 5, seed: int = 1, sounds: Sounds | None = None
) -> list[Clip]:
    """Return the clips with a fold, 1 to `folds`: the official one if all have it, else made here.

    Folds that are made keep together what has one source or one sound, hold about as many clips of
    every class, and depend on names and seed alone.

    Raises
    ------
    AedError
        If some clips of classes have a fold and others do not, or there are fewer recordings than folds.
    """
    official = [clip.fold > 0 for clip in clips if clip.slug]
    if any(official):
        if not all(official):
            without = next(clip.path for clip in clips if clip.slug and clip.fold == 0)
            raise AedError(
                "some clips have a fold and others have none",
                where=str(without),
                expected="a fold for every clip, or for none",
                got=f"{sum(official)} of {len(official)} with one",
            )
        return list(clips)
    return [
        replace(clip, fold=fold + 1)
        for clip, fold in zip(clips, _dealt(clips, folds, seed, sounds), strict=True)
    ]


def validation_split(
    clips: Sequence[Clip], *, share: float = 0.2, seed: int = 1, sounds: Sounds | None = None
) -> tuple[list[Clip], list[Clip]]:
    """Divide clips of training folds once more: what is learnt from, and what a recipe is chosen by.

    Parameters
    ----------
    share : float
        About this part of every class is set aside, whole recordings only.

    Returns
    -------
    list of Clip, list of Clip
        Training and validation, in the order of `clips`.
    """
    count = max(2, round(1.0 / share))
    dealt = _dealt(clips, count, seed, sounds)
    return (
        [clip for clip, fold in zip(clips, dealt, strict=True) if fold],
        [clip for clip, fold in zip(clips, dealt, strict=True) if not fold],
    )


def _dealt(clips: Sequence[Clip], folds: int, seed: int, sounds: Sounds | None) -> list[int]:
    """Return a fold, 0 to folds - 1, for each clip: recordings whole, classes even."""
    groups = _groups(clips, sounds or {})
    if len(groups) < folds:
        raise AedError(
            f"too few recordings for {folds} folds",
            expected=f"at least {folds}",
            got=str(len(groups)),
            hint="Give every recording a source of its own, or ask for fewer folds.",
        )
    classes = Counter(clip.slug for clip in clips)
    rng = np.random.default_rng(seed)
    order = [groups[int(i)] for i in rng.permutation(len(groups))]
    order.sort(key=lambda group: -len(group))
    held: list[Counter[str]] = [Counter() for _ in range(folds)]
    fold_of = [0] * len(clips)
    for group in order:
        mine = Counter(clips[i].slug for i in group)
        # Where the classes of this group are rarest by now, counted as shares of each class.
        best = min(
            range(folds),
            key=lambda fold: (
                round(sum(n * held[fold][slug] / classes[slug] for slug, n in mine.items()), 9),
                sum(held[fold].values()),
            ),
        )
        held[best].update(mine)
        for i in group:
            fold_of[i] = best
    return fold_of


def _groups(clips: Sequence[Clip], sounds: Sounds) -> list[list[int]]:
    """Return the indices of clips that must stay together: linked by source or by sound."""
    parent = list(range(len(clips)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, clip in enumerate(clips):
        keys = [f"source {clip.source}"]
        if clip.path in sounds:
            keys.append(f"sound {sounds[clip.path]}")
        for key in keys:
            parent[root(i)] = root(first.setdefault(key, i))
    groups = defaultdict(list)
    for i in range(len(clips)):
        groups[root(i)].append(i)
    return sorted(groups.values())
