"""`model-tools train`: from clips to a run folder with weights, history and explanation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError, AudioError
from model_tools.cli.common import add_data_options, data_folder, fold, positive, progress_bar

if TYPE_CHECKING:
    from model_tools.architecture import Arrays
    from model_tools.training.material import Material
    from model_tools.training.recipe import TrainRecipe
    from model_tools.training.train import Epoch

LAYOUTS = ("esc10", "esc50", "fsd50k", "csv", "folders")

_ABOUT = """\
Trains on ESC-10 and negatives; or, given --data with a folder per class or a CSV table (file,label
[,source][,fold]), on sounds of your own: `model-tools train --data my_sounds --base default` keeps what
the default model knows of sound and learns your classes from a few clips each. docs/own-sounds.md tells
it from recording to Home Assistant.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train", help="train on ESC-10, or on sounds of your own", description=_ABOUT
    )
    add_data_options(parser)
    parser.add_argument(
        "--layout", choices=("auto", *LAYOUTS), default="auto", help="of --data (default: auto)"
    )
    parser.add_argument(
        "--classes", default="", metavar="A,B", help="use these classes of --data only (default: all)"
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="run folder (default: runs/fold<K>, or runs/ and --data's name)",
    )
    held_out = parser.add_argument_group("what is not learnt from")
    held_out.add_argument(
        "--fold",
        type=fold,
        help="fold left out, 1 to 5; 0 trains on all (default: 5 of ESC-10, 0 of sounds of your own)",
    )
    held_out.add_argument(
        "--validation-fold", type=fold, default=0, help="fold looked at while training (default: none)"
    )
    held_out.add_argument(
        "--leave-out", nargs="+", default=(), metavar="CLASS", help="classes left out, to be strangers"
    )
    held_out.add_argument(
        "--no-check",
        action="store_true",
        help="sounds of your own: train on all at once, without a run before that is checked on a quarter",
    )
    start = parser.add_argument_group("what it starts from (default: random weights)")
    weights = start.add_mutually_exclusive_group()
    weights.add_argument("--weights", type=Path, metavar="FILE.h5", help="a pretrained Yamnet-256 backbone")
    weights.add_argument(
        "--base",
        metavar="WHAT",
        help="default (the model in the package), MODEL.tflite or RUN; its last layer is new",
    )
    start.add_argument(
        "--unfreeze", action="store_true", help="with --base: every layer learns, not only the last"
    )
    start.add_argument("--frozen", action="store_true", help="with --weights: only the last layer learns")
    start.add_argument(
        "--teachers", type=Path, nargs="+", default=(), metavar="RUN", help="runs whose opinion is learnt too"
    )
    recipe = parser.add_argument_group("recipe (defaults depend on what it starts from)")
    recipe.add_argument(
        "--epochs",
        type=positive,
        help="length of the run, fixed in advance; a second stage is as much shorter",
    )
    recipe.add_argument("--crops", type=positive, help="crops per epoch, a multiple of the batch")
    recipe.add_argument("--batch", type=positive, help="crops per step")
    recipe.add_argument("--learning-rate", type=float, help="peak learning rate")
    recipe.add_argument("--seed", type=int, help="seed of weights and crops (default: 1)")
    recipe.add_argument("--width", type=float, help="channels, as a multiple of Yamnet-256's (default: 1)")
    recipe.add_argument(
        "--activation", choices=("softmax", "sigmoid"), help="one of the classes, or each by itself"
    )
    recipe.add_argument(
        "--patience",
        type=positive,
        metavar="LOOKS",
        help="with --validation-fold: end after so many looks without a better one, with the best weights",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.training.material import HeldOut, esc10_material
    from model_tools.training.run_folder import read_stages

    recipe = recipe_of(arguments)
    if is_own(arguments):
        from model_tools.cli.own_sounds import train_own

        return train_own(arguments, recipe)
    fold = 5 if arguments.fold is None else arguments.fold
    held_out = HeldOut(fold, arguments.validation_fold, tuple(arguments.leave_out))
    material = esc10_material(data_folder(arguments), arguments.cache, held_out)
    folder = arguments.run or Path("runs") / f"fold{fold}"
    teachers = [read_stages(teacher, YAMNET_256) for teacher in arguments.teachers]
    for teacher in arguments.teachers:
        _refuse_other_teaching(teacher, held_out, recipe)
    made_from: dict[str, Any] = {"teachers": [str(teacher) for teacher in arguments.teachers]}
    made_from |= {name: str(given) for name in ("weights", "base") if (given := getattr(arguments, name))}
    last = train_with_progress(
        arguments,
        material,
        recipe,
        folder,
        start=start_of(arguments),
        teachers=teachers,
        made_from=made_from,
    )
    return {"run": str(folder), **last}


def is_own(arguments: argparse.Namespace) -> bool:
    """Return whether --data holds other sounds than ESC-10.

    Raises
    ------
    AedError
        If it holds nothing that is known.
    """
    from model_tools.data.layouts import recognised

    if arguments.data is None and arguments.layout == "auto":
        return False
    if arguments.data is None or not arguments.data.exists():
        raise AudioError(
            "no such data", where=str(arguments.data or "--data"), expected="a folder or a table"
        )
    return (recognised(arguments.data) if arguments.layout == "auto" else arguments.layout) != "esc10"


def start_of(arguments: argparse.Namespace) -> Arrays | None:
    """Return the weights to begin with, None for random ones."""
    from aed_daemon.manifest import DEFAULT_MODEL
    from aed_daemon.spec import YAMNET_256
    from model_tools.backbone import read_backbone
    from model_tools.tflite_weights import read_model
    from model_tools.training.run_folder import read_weights

    if arguments.weights:
        return read_backbone(arguments.weights)
    if not arguments.base:
        return None
    base = DEFAULT_MODEL if arguments.base == "default" else Path(arguments.base)
    if base.suffix == ".tflite":
        return read_model(base, YAMNET_256)
    return read_weights(base, YAMNET_256)


def train_with_progress(
    arguments: argparse.Namespace,
    material: Material,
    recipe: TrainRecipe,
    folder: Path,
    *,
    start: Arrays | None,
    teachers: Sequence[Sequence[Arrays]] = (),
    made_from: dict[str, Any] | None = None,
    title: str = "train",
) -> dict[str, Any]:
    """Train behind a progress bar and return what is known after the last epoch."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.training.train import train

    last: dict[str, Any] = {}
    with progress_bar() as progress:
        banking = progress.add_task("spectrograms", total=None, note="")
        training = progress.add_task(title, total=recipe.all_epochs, note="")

        def epoch_done(epoch: Epoch) -> None:
            last.update(epochs=epoch.number, loss=round(epoch.loss, 4), accuracy=round(epoch.accuracy, 4))
            last.update(epoch.validation)
            looked = "".join(f", {name} {value:.1%}" for name, value in epoch.validation.items())
            note = f"loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.1%}{looked}"
            progress.update(training, completed=epoch.number, note=note)
            if not progress.console.is_terminal:
                print(
                    f"{title}: epoch {epoch.number}/{recipe.all_epochs}: {note}", file=sys.stderr, flush=True
                )

        train(
            material,
            recipe,
            YAMNET_256,
            folder,
            arguments.cache,
            start=start,
            teachers=teachers,
            made_from=made_from,
            device=arguments.device,
            banked=lambda done, total: progress.update(banking, completed=done, total=total),
            epoch_done=epoch_done,
        )
    return last


def recipe_of(arguments: argparse.Namespace) -> TrainRecipe:
    """Return the recipe that the options ask for.

    Raises
    ------
    AedError
        If they contradict each other.
    """
    from model_tools.training.recipe import ADAPTED, DISTILLED, PRETRAINED, SCRATCH, UNFROZEN

    base = PRETRAINED if arguments.weights else DISTILLED if arguments.teachers else SCRATCH
    if arguments.base:
        base = UNFROZEN if arguments.unfreeze else ADAPTED
    given = {
        "epochs": arguments.epochs,
        "crops_per_epoch": arguments.crops,
        "batch": arguments.batch,
        "learning_rate": arguments.learning_rate,
        "seed": arguments.seed,
        "width": arguments.width,
        "activation": arguments.activation,
        "patience": arguments.patience,
        "frozen": arguments.frozen or None,
    }
    recipe = replace(base, **{name: value for name, value in given.items() if value is not None})
    if arguments.epochs and recipe.closing:
        shortened = max(1, round(arguments.epochs * recipe.closing.epochs / base.epochs))
        recipe = replace(recipe, closing=replace(recipe.closing, epochs=shortened))
    if recipe.crops_per_epoch % recipe.batch:
        raise AedError(
            "the crops of an epoch are no whole number of batches",
            where="--crops",
            expected=f"a multiple of {recipe.batch}",
            got=str(recipe.crops_per_epoch),
        )
    if recipe.frozen and not (arguments.weights or arguments.base):
        raise AedError("random weights cannot be frozen", where="--frozen", hint="Give --weights too.")
    if arguments.unfreeze and not arguments.base:
        raise AedError("nothing is frozen", where="--unfreeze", hint="Give --base too.")
    if recipe.patience and not arguments.validation_fold:
        raise AedError(
            "there is nothing to be patient about", where="--patience", hint="Give --validation-fold too."
        )
    if arguments.width and (arguments.base or arguments.weights):
        raise AedError("the weights have the width that they have", where="--width", hint="Leave it out.")
    return recipe


def _refuse_other_teaching(teacher: Path, held_out: Any, recipe: TrainRecipe) -> None:
    from model_tools.training.material import HeldOut
    from model_tools.training.run_folder import read_config

    config = read_config(teacher)
    theirs = HeldOut.from_config(config)
    if theirs != held_out:
        raise AedError(
            "the teacher has seen other clips, so what it says would leak",
            where=str(teacher),
            expected=f"left out: {held_out or 'nothing'}",
            got=str(theirs) or "nothing",
        )
    if config["recipe"]["activation"] != recipe.activation:
        raise AedError(
            "the teacher's outputs mean something else",
            where=str(teacher),
            expected=recipe.activation,
            got=config["recipe"]["activation"],
        )
