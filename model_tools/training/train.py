"""One training run: from material and recipe to a folder with weights, history and explanation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.spec import FeatureSpec
from model_tools.architecture import YAMNET_256, Arrays, architecture_of
from model_tools.training import bank, run_folder
from model_tools.training.activation import label_loss, probabilities, teacher_loss
from model_tools.training.chunks import FeedSource, chunks
from model_tools.training.material import Material
from model_tools.training.recipe import TrainRecipe
from model_tools.training.validation import Validation, validation_set

if TYPE_CHECKING:
    from torch import Tensor

    from model_tools.training.folded import Folded
    from model_tools.training.network import Yamnet

_CHECKPOINT_EPOCHS = 5


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes
    ----------
    number : int
        From 1.
    loss, accuracy : float
        Mean over its crops; the accuracy is that of the largest label.
    elapsed_s : float
        Since the run began, pauses left out.
    validation : dict
        Clip accuracies on the validation fold, empty where there is none or it was not looked at.
    """

    number: int
    loss: float
    accuracy: float
    elapsed_s: float
    validation: dict[str, float]


def feed_source(material: Material, folder: Path, spec: FeatureSpec) -> FeedSource:
    """Return what a process needs to make the crops of a run."""
    return FeedSource(
        folder,
        [material.label(clip) for clip in material.clips],
        [bool(clip.slug) and material.classes[clip.slug].transient for clip in material.clips],
        [(clip.kind, clip.collection) for clip in material.clips],
        len(material.outputs),
        spec,
    )


def train(
    material: Material,
    recipe: TrainRecipe,
    spec: FeatureSpec,
    run: Path,
    cache_dir: Path,
    *,
    start: Arrays | None = None,
    head: bool = False,
    teachers: Sequence[Sequence[Arrays]] = (),
    made_from: Mapping[str, Any] | None = None,
    validate_every: int = 10,
    device: str = "auto",
    banked: Callable[[int, int], None] = lambda *_: None,
    epoch_done: Callable[[Epoch], None] = lambda _: None,
) -> Arrays:
    """Train a network and leave weights, configuration and history in the run folder.

    A run that was cut off goes on from its last checkpoint, and gives what it would have given.

    Parameters
    ----------
    run : Path
        Gets config.json, history.csv, curves.png and the weights; and a checkpoint while it runs.
    start : Arrays, optional
        Weights to begin with; random ones otherwise.
    head : bool
        Whether the last layer is taken from `start` too.
    teachers : sequence of sequence of Arrays
        Networks of the same outputs whose mean opinion is learnt beside the labels: of each its weights
        after every stage of its run, for the stages of this one.
    made_from : mapping, optional
        What `start` and `teachers` are, for config.json.
    validate_every : int
        Epochs between two looks at the validation fold, if the material has one.
    device : str
        "cpu", "cuda", or "auto": CUDA where there is one.
    banked, epoch_done : callable
        For a progress bar: parts of the bank done and in all; what is known after each epoch.

    Raises
    ------
    AedError
        If the loss is no longer a number, a file cannot be written, or the folder holds another run.
    """
    import torch

    folder = bank.make(material.clips, recipe.bank, spec, cache_dir, step=banked)
    source = feed_source(material, folder, spec)
    if not any(
        label is not None and clip.slug for label, clip in zip(source.labels, material.clips, strict=True)
    ):
        raise AedError("there are no clips to learn from")
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    run_folder.begin(run, material, recipe, spec, made_from)
    stored = run_folder.load_checkpoint(run) or {}
    rows = [Epoch(**row) for row in stored.get("history", [])]
    log = _Log(run, rows, time.monotonic() - stored.get("elapsed_s", 0.0), epoch_done)
    validation = validation_set(material, folder, spec)
    weights, first = start, stored.get("stage", 0)
    for number, stage in enumerate(recipe.stages):
        if number < first:
            continue
        if number:
            if number > first:
                run_folder.keep_opening(run, weights or {})
                log.checkpoint({"stage": number, "epoch": 0})
            weights, head = run_folder.read_opening(run), True
            source = replace(source, hard=_hard_windows(source, weights, stage, where))
        weights = _stage(
            number,
            stage,
            source,
            weights,
            [of_stages[min(number, len(of_stages) - 1)] for of_stages in teachers],
            validation,
            log,
            where,
            stored=stored if number == first and stored.get("epoch") else None,
            head=head,
            validate_every=validate_every,
        )
    log.board.close()
    run_folder.finish(run, weights or {}, rows)
    return weights or {}


class _Log:
    """What is known of a run so far, and where it is written.

    Parameters
    ----------
    rows : list of Epoch
        Of all stages; grows.
    began : float
        When the run would have begun without pauses, on the monotonic clock.
    """

    def __init__(
        self, run: Path, rows: list[Epoch], began: float, epoch_done: Callable[[Epoch], None]
    ) -> None:
        self.run, self.rows, self._began, self._epoch_done = run, rows, began, epoch_done
        self.board = run_folder.Board(run, len(rows))

    def add(self, losses: Sequence[float], accuracy: float, rate: float, looked: dict[str, float]) -> Epoch:
        """Write what is known after an epoch.

        Raises
        ------
        AedError
            If the loss is no longer a number.
        """
        number, mean = len(self.rows) + 1, float(np.mean(losses))
        if not np.isfinite(mean):
            raise AedError(
                "the loss is no longer a number", where=f"epoch {number}", hint="Lower --learning-rate."
            )
        epoch = Epoch(number, mean, accuracy, time.monotonic() - self._began, looked)
        self.rows.append(epoch)
        run_folder.write_history(self.run, self.rows)
        self.board.add(epoch, rate)
        return epoch

    def told(self, epoch: Epoch) -> None:
        """Tell whoever waits."""
        self._epoch_done(epoch)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Write what a run that is cut off goes on from."""
        facts = {"elapsed_s": time.monotonic() - self._began, "history": [vars(row) for row in self.rows]}
        run_folder.save_checkpoint(self.run, state | facts)


def _hard_windows(
    source: FeedSource, weights: Arrays, recipe: TrainRecipe, where: Any
) -> NDArray[np.int32] | None:
    """Return what a network takes for a class, None if no crop is to show it."""
    from model_tools.training import network as networks
    from model_tools.training.folded import Folded
    from model_tools.training.mining import hard_windows

    if not recipe.feed.hard_share:
        return None
    network = Folded(networks.from_arrays(weights)).to(where)
    return hard_windows(
        bank.load(source.bank),
        source.labels,
        source.outputs,
        source.spec,
        lambda patches: probabilities(network, patches, recipe.activation),
    )


def _stage(
    number: int,
    recipe: TrainRecipe,
    source: FeedSource,
    start: Arrays | None,
    teachers: Sequence[Arrays],
    validation: Validation | None,
    log: _Log,
    where: Any,
    *,
    stored: dict[str, Any] | None,
    head: bool,
    validate_every: int,
) -> Arrays:
    """Train from some weights, or from a checkpoint of this stage, to its end."""
    import torch

    from model_tools.training import network as networks
    from model_tools.training.folded import Folded

    architecture = architecture_of(start) if start is not None else YAMNET_256.widened(recipe.width)
    learner = networks.build(source.outputs, architecture, seed=recipe.seed)
    if start is not None:
        networks.load_arrays(learner, start, head=head)
    learner.to(where)
    masters = [Folded(networks.from_arrays(weights)).to(where) for weights in teachers]
    average = networks.build(source.outputs, architecture, seed=recipe.seed).to(where).eval()
    average.load_state_dict(learner.state_dict())
    if recipe.frozen:
        learner.body.requires_grad_(False)
    optimizer = _optimizer(learner, recipe)
    parts: dict[str, Any] = {"learner": learner, "average": average, "optimizer": optimizer}
    done = 0
    if stored is not None:
        done = stored["epoch"]
        for name, part in parts.items():
            part.load_state_dict(stored[name])

    per_epoch = recipe.steps_per_epoch
    per_chunk = next(n for n in (4, 3, 2, 1) if per_epoch % n == 0)
    feed = chunks(
        source,
        recipe.feed,
        count=recipe.epochs * per_epoch // per_chunk,
        first=done * per_epoch // per_chunk + 1,
        size=per_chunk * recipe.batch,
        seed=recipe.seed,
    )
    step = done * per_epoch
    with closing(feed):
        for epoch_number in range(done + 1, recipe.epochs + 1):
            losses: list[float] = []
            hits = 0
            for _ in range(per_epoch // per_chunk):
                patches, labels = (torch.from_numpy(part).to(where) for part in next(feed))
                for at in range(0, len(patches), recipe.batch):
                    part = slice(at, at + recipe.batch)
                    rate = recipe.learning_rate_at(step)
                    loss, hit = _step(learner, masters, optimizer, patches[part], labels[part], recipe, rate)
                    losses.append(loss)
                    hits += hit
                    step += 1
                    _blend(average, learner, min(recipe.averaging, (1 + step) / (10 + step)))
            looked: dict[str, float] = {}
            if validation and (epoch_number % validate_every == 0 or epoch_number == recipe.epochs):
                looked = validation.measure(
                    lambda patches: probabilities(average, patches, recipe.activation)
                )
            accuracy = hits / recipe.crops_per_epoch
            epoch = log.add(losses, accuracy, recipe.learning_rate_at(step - 1), looked)
            if recipe.patience and looked and _best(log.rows) is epoch:
                run_folder.keep_best(log.run, networks.arrays(average))
            if epoch_number % _CHECKPOINT_EPOCHS == 0 and epoch_number < recipe.epochs:
                states = {name: part.state_dict() for name, part in parts.items()}
                log.checkpoint({"stage": number, "epoch": epoch_number, **states})
            log.told(epoch)
            if recipe.patience and _looks_since(log.rows) >= recipe.patience:
                break
    return run_folder.read_best(log.run) if recipe.patience and validation else networks.arrays(average)


def _best(rows: Sequence[Epoch]) -> Epoch | None:
    """Return the first epoch of the best validation accuracy."""
    looked = [row for row in rows if row.validation]
    return max(looked, key=lambda row: row.validation["validation"]) if looked else None


def _looks_since(rows: Sequence[Epoch]) -> int:
    """Return how often the validation fold was looked at after the best time."""
    best = _best(rows)
    return sum(1 for row in rows if best and row.validation and row.number > best.number)


def _optimizer(learner: Yamnet, recipe: TrainRecipe) -> Any:
    import torch

    learning = [p for p in learner.parameters() if p.requires_grad]
    matrices = [p for p in learning if p.ndim > 1]
    vectors = [p for p in learning if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def _step(
    learner: Yamnet,
    masters: Sequence[Folded],
    optimizer: Any,
    patches: Tensor,
    labels: Tensor,
    recipe: TrainRecipe,
    rate: float,
) -> tuple[float, int]:
    import torch

    learner.train()
    if recipe.frozen or recipe.fixed_statistics:
        learner.body.eval()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    logits = learner(patches)
    loss = label_loss(logits, labels, recipe.activation, recipe.label_smoothing)
    if masters:
        with torch.no_grad():
            theirs = [master(patches) for master in masters]
        taught = teacher_loss(logits, theirs, recipe.activation, recipe.temperature)
        loss = (1.0 - recipe.distillation_share) * loss + recipe.distillation_share * taught
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
    optimizer.step()
    hit = (logits.argmax(1) == labels.argmax(1)).sum()
    return float(loss.detach()), int(hit)


def _blend(average: Yamnet, learner: Yamnet, decay: float) -> None:
    import torch

    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), learner.state_dict().values(), strict=True):
            kept.lerp_(new, 1.0 - decay)
