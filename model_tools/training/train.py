"""Train the network from random weights: recipe and length fixed in advance, nothing selected."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import cos, pi
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aed_daemon.errors import AedError
from aed_daemon.manifest import BACKGROUND
from aed_daemon.spec import FeatureSpec
from model_tools.data import cache
from model_tools.data.cache import cache_path
from model_tools.data.clip import Clip
from model_tools.data.esc10 import SLUGS, read_esc10
from model_tools.data.negatives import read_negatives
from model_tools.data.split import check_leaks
from model_tools.training.crops import TRANSIENT
from model_tools.training.feed import FeedRecipe, chunks

if TYPE_CHECKING:
    import keras

OUTPUTS = (*SLUGS, BACKGROUND)
"""The network's outputs in order."""

NETWORK_FILE = "network.weights.h5"


@dataclass(frozen=True)
class TrainRecipe:
    """Everything that a run depends on besides the data.

    Attributes
    ----------
    epochs, crops_per_epoch, batch : int
        Length of the run; an epoch is a number of random crops, not a pass over the clips.
    learning_rate, weight_decay, warmup_epochs
        AdamW; the rate rises linearly, then falls to zero as a cosine.
    label_smoothing : float
        Keeps the logits in a range that eight bits resolve.
    seed : int
        Of weights and crops.
    """

    epochs: int = 90
    crops_per_epoch: int = 1_664
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_epochs: int = 3
    label_smoothing: float = 0.04
    seed: int = 1
    feed: FeedRecipe = field(default_factory=FeedRecipe)


CLOSING = TrainRecipe(
    epochs=30,
    learning_rate=6e-4,
    warmup_epochs=1,
    seed=2,
    feed=FeedRecipe(
        mixed_share=0.08,
        accompanied_share=0.2,
        equaliser_db=6.0,
        low_pass_share=0.15,
        high_pass_share=0.1,
    ),
)
"""A second, short run that goes on from the weights of a first: mixtures of two classes teach a
network to be unsure, and the world seldom mixes them; so it ends on sounds that are mostly alone."""


@dataclass(frozen=True)
class TrainingSet:
    """The clips of a run.

    Attributes
    ----------
    clips, negatives : sequence of Clip
        Of the classes, and of none.
    held_out_fold : int
        The fold left out, 0 for none.
    """

    clips: Sequence[Clip]
    negatives: Sequence[Clip]
    held_out_fold: int


def training_set(data: Path, fold: int) -> TrainingSet:
    """Return what to train on when `fold` (1 to 5, 0 for none) is left out.

    Raises
    ------
    AudioError
        If there is no ESC-10 under `data`.
    AedError
        If a recording has clips both in the fold and outside it.
    """
    clips = read_esc10(data / "esc10")
    kept = [clip for clip in clips if clip.fold != fold]
    check_leaks(kept, [clip for clip in clips if clip.fold == fold])
    return TrainingSet(kept, read_negatives(data / "negatives" / "clips", held_out=False), fold)


def learning_rate(recipe: TrainRecipe, step: int) -> float:
    """Return the rate of optimiser step `step`, counted from 0."""
    per_epoch = recipe.crops_per_epoch // recipe.batch
    warmup, total = recipe.warmup_epochs * per_epoch, recipe.epochs * per_epoch
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * 0.5 * (1.0 + cos(pi * (step - warmup) / max(1, total - warmup)))


def train(
    data: TrainingSet,
    recipe: TrainRecipe,
    spec: FeatureSpec,
    run: Path,
    cache_dir: Path,
    *,
    start: Path | None = None,
    decoded: Callable[[], None] = lambda: None,
    epoch_done: Callable[[int, float, float], None] = lambda *_: None,
) -> keras.Model:
    """Train a network and leave weights, configuration and history in the run folder.

    Parameters
    ----------
    run : Path
        Gets config.json, history.csv and the weights, the latter every ten epochs.
    start : Path, optional
        Run folder whose weights are gone on from; random ones otherwise.
    decoded, epoch_done : callable
        For a progress bar: after each clip; after each epoch with its number, loss and accuracy.

    Raises
    ------
    AedError
        If the loss is no longer a number, or a file cannot be written.
    """
    run.mkdir(parents=True, exist_ok=True)
    sounds = cache.load([*data.clips, *data.negatives], spec.sample_rate_hz, cache_dir, decoded)
    if not any(len(sound) for sound in sounds):
        raise AedError("the clips hold no sound")
    sound_file = cache_path([*data.clips, *data.negatives], spec.sample_rate_hz, cache_dir)

    import keras

    from model_tools.model import build

    network = load_weights(start, spec) if start else build(spec, len(OUTPUTS), seed=recipe.seed)
    optimizer = keras.optimizers.AdamW(learning_rate(recipe, 0), weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    network.compile(optimizer, loss, metrics=["categorical_accuracy"], jit_compile=False)
    facts = describe(data, recipe, spec) | ({"gone_on_from": _earlier(start, data)} if start else {})
    write_text(run / "config.json", json.dumps(facts, indent=2) + "\n")

    per_epoch = recipe.crops_per_epoch // recipe.batch
    per_chunk = next(n for n in (4, 3, 2, 1) if per_epoch % n == 0)
    feed = chunks(
        sound_file,
        [SLUGS.index(clip.slug) for clip in data.clips],
        [clip.slug in TRANSIENT for clip in data.clips],
        len(OUTPUTS),
        spec,
        recipe.feed,
        count=recipe.epochs * per_epoch // per_chunk,
        size=per_chunk * recipe.batch,
    )
    step, started, rows = 0, time.monotonic(), []
    for epoch in range(1, recipe.epochs + 1):
        results = []
        for _ in range(per_epoch // per_chunk):
            patches, labels = next(feed)
            for at in range(0, len(patches), recipe.batch):
                optimizer.learning_rate = learning_rate(recipe, step)
                part = slice(at, at + recipe.batch)
                results.append(network.train_on_batch(patches[part, ..., None], labels[part]))
                step += 1
        loss_mean, accuracy = (float(value) for value in np.mean(results, axis=0))
        if not np.isfinite(loss_mean):
            raise AedError(
                "the loss is no longer a number", where=f"epoch {epoch}", hint="Lower --learning-rate."
            )
        rows.append([epoch, round(loss_mean, 5), round(accuracy, 5), round(time.monotonic() - started, 1)])
        _write_history(run / "history.csv", rows)
        if epoch % 10 == 0 or epoch == recipe.epochs:
            save_weights(network, run / NETWORK_FILE)
        epoch_done(epoch, loss_mean, accuracy)
    feed.close()
    return network


def describe(data: TrainingSet, recipe: TrainRecipe, spec: FeatureSpec) -> dict[str, Any]:
    """Return what config.json says: recipe, data by name, features, versions of the tools."""
    import keras
    import tensorflow as tf

    return {
        "recipe": asdict(recipe),
        "outputs": list(OUTPUTS),
        "held_out_fold": data.held_out_fold,
        "clips": [clip.path.stem for clip in data.clips],
        "negatives": [clip.path.stem for clip in data.negatives],
        "spec_id": spec.spec_id,
        "tools": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }


def _earlier(start: Path, data: TrainingSet) -> dict[str, Any]:
    """Return the recipe of the run that is gone on from; AedError if it left out another fold."""
    config = read_config(start)
    if config["held_out_fold"] != data.held_out_fold:
        raise AedError(
            "the run to go on from left out another fold",
            where=str(start),
            expected=f"fold {data.held_out_fold}",
            got=f"fold {config['held_out_fold']}",
        )
    recipe: dict[str, Any] = config["recipe"]
    return recipe


def _write_history(path: Path, rows: list[list[Any]]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "loss", "accuracy", "elapsed_s"])
        writer.writerows(rows)
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then move it into place."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def save_weights(network: keras.Model, path: Path) -> None:
    """Write a network's weights under a temporary name, then move them into place."""
    temporary = path.with_name("writing.weights.h5")
    network.save_weights(temporary)
    temporary.replace(path)


def load_weights(run: Path, spec: FeatureSpec) -> keras.Model:
    """Return the network of a run folder.

    Raises
    ------
    AedError
        If the run has no weights yet, or was made with other features.
    """
    config = read_config(run)
    if config["spec_id"] != spec.spec_id:
        raise AedError(
            "the run was trained on other features",
            where=str(run),
            expected=spec.spec_id,
            got=str(config["spec_id"]),
        )
    path = run / NETWORK_FILE
    if not path.exists():
        raise AedError("the run has no weights yet", where=str(run), hint="model-tools train writes them.")
    from model_tools.model import build

    network = build(spec, len(config["outputs"]))
    try:
        network.load_weights(path)
    except (OSError, ValueError) as error:
        raise AedError(f"cannot read the weights ({error})", where=str(path)) from None
    return network


def read_config(run: Path) -> dict[str, Any]:
    """Return a run folder's config.json.

    Raises
    ------
    AedError
        If it is missing or damaged.
    """
    try:
        config = json.loads((run / "config.json").read_text())
    except (OSError, ValueError):
        raise AedError("not a run folder", where=str(run), hint="model-tools train makes one.") from None
    return dict(config)
