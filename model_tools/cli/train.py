"""`model-tools train`: train the network."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.cli.common import add_data_options, data_folder, fold, positive, progress_bar


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("train", help="train on ESC-10 and negatives")
    add_data_options(parser)
    parser.add_argument("--run", type=Path, metavar="DIR", help="run folder (default: runs/fold<K>)")
    parser.add_argument(
        "--fold", type=fold, default=5, help="fold left out, 1 to 5; 0 trains on all (default: 5)"
    )
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="RUN", help="go on from a run, by the closing recipe"
    )
    parser.add_argument("--epochs", type=positive, help="length of the run, fixed in advance")
    parser.add_argument("--crops", type=positive, help="crops per epoch, a multiple of the batch")
    parser.add_argument("--batch", type=positive, help="crops per step")
    parser.add_argument("--learning-rate", type=float, help="peak learning rate")
    parser.add_argument("--seed", type=int, help="seed of weights and crops")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.training.train import CLOSING, TrainRecipe, train, training_set

    given = {
        "epochs": arguments.epochs,
        "crops_per_epoch": arguments.crops,
        "batch": arguments.batch,
        "learning_rate": arguments.learning_rate,
        "seed": arguments.seed,
    }
    base = CLOSING if arguments.start else TrainRecipe()
    recipe = replace(base, **{name: value for name, value in given.items() if value is not None})
    recipe = replace(recipe, feed=replace(recipe.feed, seed=recipe.seed))
    if recipe.crops_per_epoch % recipe.batch:
        raise AedError(
            "the crops of an epoch are no whole number of batches",
            where="--crops",
            expected=f"a multiple of {recipe.batch}",
            got=str(recipe.crops_per_epoch),
        )
    data = training_set(data_folder(arguments), arguments.fold)
    run = arguments.run or Path("runs") / f"fold{arguments.fold}"
    last: dict[str, Any] = {}
    with progress_bar() as progress:
        decoding = progress.add_task("decode", total=len(data.clips) + len(data.negatives), note="")
        training = progress.add_task("train", total=recipe.epochs, note="")

        def epoch_done(epoch: int, loss: float, accuracy: float) -> None:
            last.update(epochs=epoch, loss=round(loss, 4), accuracy=round(accuracy, 4))
            note = f"loss {loss:.3f}, accuracy {accuracy:.1%}"
            progress.update(training, completed=epoch, note=note)
            if not progress.console.is_terminal:
                print(f"epoch {epoch}/{recipe.epochs}: {note}", file=sys.stderr, flush=True)

        train(
            data,
            recipe,
            YAMNET_256,
            run,
            arguments.cache,
            start=arguments.start,
            decoded=lambda: progress.advance(decoding),
            epoch_done=epoch_done,
        )
    return {"run": str(run), **last}
