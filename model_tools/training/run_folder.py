"""A run's folder: what it was asked, how it went, what came out, and where to go on if it was cut off."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aed_daemon.errors import AedError, ModelError
from aed_daemon.spec import FeatureSpec
from model_tools.architecture import Arrays
from model_tools.training.material import Material
from model_tools.training.recipe import TrainRecipe

if TYPE_CHECKING:
    from model_tools.training.train import Epoch

WEIGHTS = "network.npz"
_CONFIG, _HISTORY, _CHECKPOINT, _CURVES = "config.json", "history.csv", "checkpoint.pt", "curves.png"
_BEST, _OPENING = "best.npz", "opening.npz"


def begin(
    run: Path,
    material: Material,
    recipe: TrainRecipe,
    spec: FeatureSpec,
    made_from: Mapping[str, Any] | None = None,
) -> None:
    """Write config.json, or check that the run in the folder is this one.

    Raises
    ------
    AedError
        If the folder holds a run of another recipe or other clips.
    """
    run.mkdir(parents=True, exist_ok=True)
    facts = describe(material, recipe, spec) | ({"made_from": dict(made_from)} if made_from else {})
    path = run / _CONFIG
    if path.exists() and (run / _CHECKPOINT).exists():
        found = read_config(run)
        differing = [key for key in facts if key != "tools" and facts[key] != found.get(key)]
        if differing:
            raise AedError(
                f"the unfinished run in the folder differs in {', '.join(differing)}",
                where=str(run),
                hint="Give --run another folder, or remove this one.",
            )
    else:
        # What an earlier run in the folder left would be taken for this one's.
        for name in (_OPENING, _BEST):
            (run / name).unlink(missing_ok=True)
    write_text(path, json.dumps(facts, indent=1) + "\n")


def describe(material: Material, recipe: TrainRecipe, spec: FeatureSpec) -> dict[str, Any]:
    """Return what config.json says: recipe, data by name, features, versions of the tools."""
    seen = sorted(f"{clip.collection}/{clip.path.name}{clip.sound}" for clip in material.seen)
    facts: dict[str, Any] = {
        "recipe": asdict(recipe),
        **material.describe(),
        "clips": [clip.path.stem for clip in material.seen if clip.slug],
        "negatives": sum(1 for clip in material.seen if not clip.slug),
        "data_sha256": hashlib.sha256("\n".join(seen).encode()).hexdigest(),
        "spec_id": spec.spec_id,
        "tools": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": version("torch"),
        },
    }
    return json.loads(json.dumps(facts))  # type: ignore[no-any-return]


def digest(recipe: Mapping[str, Any]) -> str:
    """Return what tells one recipe from another: the beginning of the hash of all that it says."""
    return hashlib.sha256(json.dumps(dict(recipe), sort_keys=True).encode()).hexdigest()[:16]


def family_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return whether a run had a teacher or began with the backbone, nothing of a run that does not say."""
    made_from = config.get("made_from")
    if made_from is None or "base" in made_from:
        return {}
    if made_from.get("teachers"):
        return {"family": "distilled"}
    return {"family": "pretrained" if "weights" in made_from else "scratch"}


def read_config(run: Path) -> dict[str, Any]:
    """Return what a run was asked.

    Raises
    ------
    ModelError
        If the folder holds no run.
    """
    try:
        config: dict[str, Any] = json.loads((run / _CONFIG).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ModelError(
            "no training run here", where=str(run), expected=_CONFIG, got=type(error).__name__
        ) from None
    return config


def write_history(run: Path, rows: Sequence[Epoch]) -> None:
    """Write history.csv: a row per epoch."""
    extra = sorted({name for row in rows for name in row.validation})
    temporary = run / "history.tmp"
    with temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "loss", "accuracy", "elapsed_s", *extra])
        for row in rows:
            values = [row.validation.get(name, "") for name in extra]
            writer.writerow(
                [row.number, round(row.loss, 5), round(row.accuracy, 5), round(row.elapsed_s, 1), *values]
            )
    temporary.replace(run / _HISTORY)


def finish(run: Path, weights: Arrays, rows: Sequence[Epoch]) -> None:
    """Write weights and curves, and drop the checkpoint."""
    temporary = run / "network.tmp.npz"
    np.savez(temporary, **weights)
    temporary.replace(run / WEIGHTS)
    if rows:
        _draw(run / _CURVES, rows)
    (run / _CHECKPOINT).unlink(missing_ok=True)


def keep_best(run: Path, weights: Arrays) -> None:
    """Keep the best weights so far, for a run that may end early."""
    temporary = run / "best.tmp.npz"
    np.savez(temporary, **weights)
    temporary.replace(run / _BEST)


def read_best(run: Path) -> Arrays:
    """Return the weights that `keep_best` kept last."""
    with np.load(run / _BEST) as stored:
        return {name: stored[name] for name in stored.files}


def keep_opening(run: Path, weights: Arrays) -> None:
    """Keep the weights after the first stage of a run that has two."""
    temporary = run / "opening.tmp.npz"
    np.savez(temporary, **weights)
    temporary.replace(run / _OPENING)


def read_opening(run: Path) -> Arrays:
    """Return the weights that `keep_opening` kept."""
    with np.load(run / _OPENING) as stored:
        return {name: stored[name] for name in stored.files}


def read_stages(run: Path, spec: FeatureSpec) -> list[Arrays]:
    """Return the weights of a finished run after each of its stages.

    Raises
    ------
    ModelError
        If there are none, or they were made with other features.
    """
    last = read_weights(run, spec)
    return [read_opening(run), last] if (run / _OPENING).exists() else [last]


class Board:
    """Curves for TensorBoard.

    Parameters
    ----------
    done : int
        Epochs that an earlier part of the run has written.
    """

    def __init__(self, run: Path, done: int) -> None:
        # Not torch.utils.tensorboard: it loads TensorFlow where there is one.
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=done + 1)

    def add(self, epoch: Epoch, learning_rate: float) -> None:
        """Write an epoch's figures."""
        figures = {"loss": epoch.loss, "accuracy": epoch.accuracy, "learning_rate": learning_rate}
        for name, value in (figures | epoch.validation).items():
            self._writer.add_scalar(name, value, epoch.number)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def read_weights(run: Path, spec: FeatureSpec) -> Arrays:
    """Return the weights of a finished run.

    Raises
    ------
    ModelError
        If there are none, or they were made with other features.
    """
    config = read_config(run)
    if config["spec_id"] != spec.spec_id:
        raise ModelError(
            "the run was trained on other features",
            where=str(run),
            expected=f"spec_id {spec.spec_id}",
            got=config["spec_id"],
            hint="Train it again.",
        )
    try:
        with np.load(run / WEIGHTS) as stored:
            return {name: stored[name] for name in stored.files}
    except OSError:
        raise ModelError(
            "the run has left no weights",
            where=str(run / WEIGHTS),
            hint="It was cut off: give the same command again and it goes on.",
        ) from None


def save_checkpoint(run: Path, state: dict[str, Any]) -> None:
    """Write what a run that is cut off goes on from."""
    import torch

    temporary = run / "checkpoint.tmp"
    try:
        torch.save(state, temporary)
        temporary.replace(run / _CHECKPOINT)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise AedError(f"cannot write the checkpoint ({error})", where=str(run)) from None


def load_checkpoint(run: Path) -> dict[str, Any] | None:
    """Return the last checkpoint, None where there is none.

    Raises
    ------
    AedError
        If it is damaged.
    """
    import torch

    path = run / _CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise AedError(
            f"the checkpoint cannot be read ({type(error).__name__})",
            where=str(path),
            hint="Remove it; the run then begins anew.",
        ) from None
    return state


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then move it into place."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _draw(path: Path, rows: Sequence[Epoch]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [row.number for row in rows]
    left.plot(numbers, [row.loss for row in rows])
    left.set(xlabel="epoch", ylabel="loss")
    right.plot(numbers, [row.accuracy for row in rows], label="crops")
    for name in sorted({name for row in rows for name in row.validation}):
        looked = [row for row in rows if name in row.validation]
        right.plot([row.number for row in looked], [row.validation[name] for row in looked], label=name)
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0.0, 1.0))
    right.legend()
    figure.savefig(path, dpi=110)
