"""The command `model-tools`: train | quantize | evaluate."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon import __version__
from aed_daemon.errors import AedError

if TYPE_CHECKING:
    from rich.progress import Progress

MODEL_NAME = "yamnet256-esc10"


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the `AedError` that ended it."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        result = {"train": _train, "quantize": _quantize, "evaluate": _evaluate}[arguments.command](arguments)
    except AedError as error:
        print(f"model-tools: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"model-tools: {error.filename or 'system'}: {error.strerror or error}.", file=sys.stderr)
        return AedError.exit_code
    except KeyboardInterrupt:
        print("model-tools: interrupted.", file=sys.stderr)
        return 130
    print(json.dumps(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="model-tools", description="Make the models of aed-daemon: train, quantise, evaluate."
    )
    parser.add_argument("--version", action="version", version=f"model-tools {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train the network from random weights on ESC-10 and negatives")
    _common(train)
    train.add_argument("--run", type=Path, metavar="DIR", help="run folder (default: runs/fold<K>)")
    train.add_argument(
        "--fold", type=_fold, default=5, help="fold left out, 1 to 5; 0 trains on all (default: 5)"
    )
    train.add_argument(
        "--from", dest="start", type=Path, metavar="RUN", help="go on from a run, by the closing recipe"
    )
    train.add_argument("--epochs", type=_positive, help="length of the run, fixed in advance")
    train.add_argument("--crops", type=_positive, help="crops per epoch, a multiple of the batch")
    train.add_argument("--batch", type=_positive, help="crops per step")
    train.add_argument("--learning-rate", type=float, help="peak learning rate")
    train.add_argument("--seed", type=int, help="seed of weights and crops")

    quantize = commands.add_parser("quantize", help="turn a run into an int8 .tflite and its manifest")
    _common(quantize)
    quantize.add_argument("run", type=Path, metavar="RUN", help="run folder that train made")
    quantize.add_argument("--out", type=Path, metavar="FILE", help=f"default: RUN/{MODEL_NAME}.tflite")
    quantize.add_argument(
        "--model-version", default="1", help="version of the model in its manifest (default: 1)"
    )
    quantize.add_argument(
        "--no-metrics", action="store_true", help="do not evaluate the left-out fold for the manifest"
    )

    evaluate = commands.add_parser("evaluate", help="clip accuracy on a left-out fold, float and int8")
    _common(evaluate)
    evaluate.add_argument(
        "--run", type=Path, metavar="DIR", help="run folder: the network before quantisation"
    )
    evaluate.add_argument("--model", type=Path, metavar="FILE", help="int8 model, its manifest beside it")
    evaluate.add_argument("--fold", type=_fold, help="fold to evaluate (default: the one that was left out)")
    evaluate.add_argument(
        "--engine", choices=("auto", "litert", "tflite"), default="auto", help="of the int8 model"
    )
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="holds esc10/ and negatives/clips/ (default: $AED_DATA_DIR, else ../shared/data)",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("cache"), metavar="DIR", help="decoded sound (default: cache)"
    )


def _fold(text: str) -> int:
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value <= 5:
        raise argparse.ArgumentTypeError(f"{text} is not a fold, 0 to 5")
    return value


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def _progress() -> Progress:
    """Return a progress bar on standard error; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))


def _data(arguments: argparse.Namespace) -> Path:
    from model_tools.dataset import data_dir

    return arguments.data or data_dir()


def _train(arguments: argparse.Namespace) -> dict[str, Any]:
    from aed_daemon.spec import YAMNET_256
    from model_tools.train import CLOSING, TrainRecipe, train, training_set

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
    data = training_set(_data(arguments), arguments.fold)
    run = arguments.run or Path("runs") / f"fold{arguments.fold}"
    last: dict[str, Any] = {}
    with _progress() as progress:
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


def _quantize(arguments: argparse.Namespace) -> dict[str, Any]:
    from aed_daemon.inference import available_engines
    from aed_daemon.spec import YAMNET_256
    from model_tools.feed import FeedRecipe
    from model_tools.quantize import convert, provenance, representative_patches, write_model
    from model_tools.train import load_weights, read_config, training_set

    run: Path = arguments.run
    out = arguments.out or run / f"{MODEL_NAME}.tflite"
    if out.suffix != ".tflite":
        raise AedError("not a name for a model", where=str(out), expected="NAME.tflite")
    network, config = load_weights(run, YAMNET_256), read_config(run)
    data = training_set(_data(arguments), config["held_out_fold"])
    feed = FeedRecipe(**config["recipe"]["feed"])
    model = convert(network, representative_patches(data, YAMNET_256, arguments.cache, feed))
    facts = {"spec": YAMNET_256, "version": arguments.model_version, "origin": provenance(config, data)}
    write_model(out, model, metrics={}, **facts)
    metrics: dict[str, Any] = {}
    if config["held_out_fold"] and not arguments.no_metrics:
        metrics = _measure(arguments, run, out, config["held_out_fold"], available_engines())
        write_model(out, model, metrics=metrics, **facts)
    return {"model": str(out), "bytes": len(model), "metrics": metrics}


def _evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    from aed_daemon.manifest import load_manifest
    from model_tools.train import read_config

    if arguments.run is None and arguments.model is None:
        raise AedError("nothing to evaluate", hint="Give --run, --model or both.")
    left_out = set()
    if arguments.run is not None:
        left_out.add(int(read_config(arguments.run)["held_out_fold"]))
    if arguments.model is not None:
        left_out.add(int(load_manifest(arguments.model).provenance.held_out.rpartition(" ")[2] or 0))
    fold = min(left_out) if arguments.fold is None else arguments.fold
    if left_out != {fold} or fold == 0:
        raise AedError(
            "the fold was not left out of the training, so its figures would mean nothing",
            where=f"fold {fold}",
            expected="the fold that run and model leave out",
            got=" and ".join(str(value) if value else "none left out" for value in sorted(left_out)),
        )
    return _measure(arguments, arguments.run, arguments.model, fold, [arguments.engine])


def _measure(
    arguments: argparse.Namespace, run: Path | None, model: Path | None, fold: int, engines: Sequence[Any]
) -> dict[str, Any]:
    from aed_daemon.manifest import load_manifest
    from aed_daemon.spec import YAMNET_256 as SPEC
    from model_tools import dataset, evaluate
    from model_tools.train import OUTPUTS, load_weights

    root = _data(arguments)
    clips = [clip for clip in dataset.read_esc10(root / "esc10") if clip.fold == fold]
    negatives = dataset.read_negatives(root / "negatives" / "clips", held_out=True)
    with ExitStack() as stack:
        variants: dict[str, tuple[evaluate.Scores, Sequence[str]]] = {}
        if run is not None:
            variants["float"] = (evaluate.float_scores(load_weights(run, SPEC)), OUTPUTS)
        if model is not None:
            for engine in engines:
                scores, used = stack.enter_context(evaluate.int8_scores(model, engine))
                variants[f"int8_{used}"] = (scores, load_manifest(model).slugs)
        result: dict[str, Any] = {"fold": fold}
        progress = stack.enter_context(_progress())
        sounds = dataset.load(clips, SPEC.sample_rate_hz, arguments.cache)
        others = dataset.load(negatives, SPEC.sample_rate_hz, arguments.cache) if negatives else []
        labels = [dataset.SLUGS.index(clip.slug) for clip in clips]
        for name, (scores, outputs) in variants.items():
            task: Any = progress.add_task(name, total=len(clips), note="")
            found = evaluate.evaluate_clips(
                sounds,
                labels,
                outputs,
                scores,
                SPEC,
                lambda task=task: progress.advance(task),  # type: ignore[misc]
            )
            result[name] = found.as_dict()
            if others:
                result[name]["held_out_negatives"] = evaluate.evaluate_negatives(
                    others, outputs, scores, SPEC
                )
        return result
