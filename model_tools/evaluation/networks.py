"""Which networks there are to evaluate, and what each has not seen: by their manifests, not their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aed_daemon.errors import ModelError
from aed_daemon.manifest import ModelManifest, load_manifest
from model_tools.data.esc10 import SLUGS

FAMILIES = ("scratch", "distilled", "pretrained")
"""How a network was trained: from random weights without a teacher, with one, from the backbone."""


@dataclass(frozen=True)
class Network:
    """A model file and what its manifest says of its training.

    Attributes
    ----------
    path : Path
        NAME.tflite.
    manifest : ModelManifest
        As it lies beside.
    family : str
        One of `FAMILIES`: `metrics.recipe.family` of the manifest, else the folder that holds it if
        that is called so, else "scratch".
    fold : int
        Fold left out for the test, 0 for none.
    validation_fold : int
        Fold left out of training for choices, 0 for none.
    strangers : tuple of str
        Classes left out.
    seed : int
        Of the training run.
    """

    path: Path
    manifest: ModelManifest
    family: str
    fold: int
    validation_fold: int
    strangers: tuple[str, ...]
    seed: int

    @property
    def known(self) -> tuple[str, ...]:
        """The ten classes without the strangers."""
        return tuple(slug for slug in SLUGS if slug not in self.strangers)

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.path.parent.name}/{self.path.stem}"


def read_network(path: Path) -> Network:
    """Return a network by its file.

    Raises
    ------
    ModelError
        If model and manifest are not right, or it has outputs that are not of ESC-10.
    """
    manifest = load_manifest(path)
    fold, validation_fold = folds_in(manifest.provenance.held_out)
    strangers = tuple(slug for slug in SLUGS if slug not in manifest.slugs)
    named = tuple(re.findall(r"\bclass (\w+)", manifest.provenance.held_out))
    if set(named) != set(strangers):
        raise ModelError(
            "its outputs and what it says to have left out do not fit together",
            where=str(path),
            expected=f"no output for {', '.join(named) or 'no class'}",
            got=f"none for {', '.join(strangers) or 'no class'}",
        )
    parent = path.parent.name
    recipe: Any = manifest.metrics.get("recipe", {})
    family = str(recipe.get("family", parent if parent in FAMILIES else FAMILIES[0]))
    return Network(path, manifest, family, fold, validation_fold, strangers, manifest.provenance.seed)


def folds_in(held_out: str) -> tuple[int, int]:
    """Return the fold left out for the test and the one for choices, 0 for none, from a manifest's words."""
    first, second, *_ = (*(int(digit) for digit in re.findall(r"\bfold (\d)\b", held_out)), 0, 0)
    return first, second


def find_networks(places: Iterable[Path]) -> list[Network]:
    """Return all networks among files and in folders, in order of their paths.

    Raises
    ------
    ModelError
        If one of them is not right.
    """
    paths = [path for place in places for path in ([place] if place.is_file() else place.rglob("*.tflite"))]
    return [read_network(path) for path in sorted(set(paths))]


def of_family(networks: Sequence[Network], family: str) -> dict[int, list[Network]]:
    """Return the fold networks of a family by seed, each seed's by fold; without those of the open set."""
    seeds: dict[int, list[Network]] = {}
    for network in networks:
        if network.family == family and network.fold and not network.strangers:
            seeds.setdefault(network.seed, []).append(network)
    return {seed: sorted(found, key=lambda n: n.fold) for seed, found in sorted(seeds.items())}


def rotations(networks: Sequence[Network]) -> list[Network]:
    """Return the networks of the open set: those that leave classes out, and a fold."""
    return [network for network in networks if network.strangers and network.fold]
