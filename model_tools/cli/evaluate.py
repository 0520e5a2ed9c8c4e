"""`model-tools evaluate`: measure a network on sounds that it was not trained on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.cli.common import add_data_options, data_folder, fold, progress_bar


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("evaluate", help="clip accuracy on a left-out fold, float and int8")
    add_data_options(parser)
    parser.add_argument("--run", type=Path, metavar="DIR", help="run folder: the network before quantisation")
    parser.add_argument("--model", type=Path, metavar="FILE", help="int8 model, its manifest beside it")
    parser.add_argument("--fold", type=fold, help="fold to evaluate (default: the one that was left out)")
    parser.add_argument(
        "--engine", choices=("auto", "litert", "tflite"), default="auto", help="of the int8 model"
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.manifest import load_manifest
    from model_tools.training.train import read_config

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
    return measure(arguments, arguments.run, arguments.model, fold, [arguments.engine])


def measure(
    arguments: argparse.Namespace, run: Path | None, model: Path | None, fold: int, engines: Sequence[Any]
) -> dict[str, Any]:
    """Return clip accuracy on a fold, and alarms on held-out negatives, of each variant of a network."""
    from aed_daemon.manifest import load_manifest
    from aed_daemon.spec import YAMNET_256 as SPEC
    from model_tools.data import cache
    from model_tools.data.esc10 import SLUGS, read_esc10
    from model_tools.data.negatives import read_negatives
    from model_tools.evaluation import clips as evaluate
    from model_tools.training.train import OUTPUTS, load_weights

    root = data_folder(arguments)
    clips = [clip for clip in read_esc10(root / "esc10") if clip.fold == fold]
    negatives = read_negatives(root / "negatives" / "clips", held_out=True)
    with ExitStack() as stack:
        variants: dict[str, tuple[evaluate.Scores, Sequence[str]]] = {}
        if run is not None:
            variants["float"] = (evaluate.float_scores(load_weights(run, SPEC)), OUTPUTS)
        if model is not None:
            for engine in engines:
                scores, used = stack.enter_context(evaluate.int8_scores(model, engine))
                variants[f"int8_{used}"] = (scores, load_manifest(model).slugs)
        result: dict[str, Any] = {"fold": fold}
        progress = stack.enter_context(progress_bar())
        sounds = cache.load(clips, SPEC.sample_rate_hz, arguments.cache)
        others = cache.load(negatives, SPEC.sample_rate_hz, arguments.cache) if negatives else []
        labels = [SLUGS.index(clip.slug) for clip in clips]
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
