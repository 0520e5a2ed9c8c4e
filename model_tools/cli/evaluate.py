"""`model-tools evaluate`: measure networks on sounds that they were not trained on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.cli.calibrate import rate
from model_tools.cli.common import add_data_options, data_folder, fold, progress_bar


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="clip accuracy on a left-out fold; with --all every figure, and a report",
        description="Without --all: clip accuracy of one network on the fold that it has not seen. With "
        "--all: everything that is claimed, from the networks in --networks and the default model.",
    )
    add_data_options(parser)
    one = parser.add_argument_group("one network")
    one.add_argument("--run", type=Path, metavar="DIR", help="run folder: the network before quantisation")
    one.add_argument("--model", type=Path, metavar="FILE", help="int8 model, its manifest beside it")
    one.add_argument("--fold", type=fold, help="fold to evaluate (default: the one that was left out)")
    parser.add_argument(
        "--backend",
        choices=("float", "int8", "c"),
        help="which of them (default: what is given); c: also the model's C, compiled here, beside them; "
        "with --all in place of the int8 engine",
    )
    parser.add_argument(
        "--engine", choices=("auto", "native", "litert", "tflite"), default="auto", help="of int8 models"
    )
    every = parser.add_argument_group("everything")
    every.add_argument("--all", action="store_true", help="compute every figure and the report")
    every.add_argument(
        "--networks",
        type=Path,
        default=Path("evaluation"),
        metavar="DIR",
        help="fold networks and those of the open set; their manifests say what each has not seen "
        "(default: evaluation)",
    )
    every.add_argument(
        "--default", type=Path, metavar="FILE", help="the shipped model (default: the one in the package)"
    )
    every.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="run folders, for figures before quantisation and training curves (default: runs)",
    )
    every.add_argument(
        "--recipe",
        choices=("scratch", "distilled", "pretrained"),
        help="what the shipped model was made by (default: as its manifest says, else distilled if there "
        "are such networks, else scratch)",
    )
    every.add_argument(
        "--hours", type=rate, default=1.0, help="of each kind of synthesised negatives (default: 1)"
    )
    every.add_argument("--out", type=Path, default=Path("benchmarks/accuracy.json"), metavar="FILE")
    every.add_argument("--report", type=Path, default=Path("benchmarks/accuracy.html"), metavar="FILE")
    every.add_argument("--card", type=Path, metavar="FILE", help="model card whose figures are written anew")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    if arguments.all:
        return _everything(arguments)
    return _one(arguments)


def _one(arguments: argparse.Namespace) -> dict[str, Any]:
    from aed_daemon.manifest import load_manifest
    from model_tools.training.run_folder import read_config

    run = arguments.run if arguments.backend != "int8" else None
    model = arguments.model if arguments.backend != "float" else None
    if model is None and (run is None or arguments.backend == "c"):
        wanted = {"float": "--run", None: "--run, --model or both"}.get(arguments.backend, "--model")
        raise AedError("nothing to evaluate", hint=f"Give {wanted}, or --all.")
    left_out = set()
    if run is not None:
        left_out.add(int(read_config(run)["held_out"]["fold"]))
    if model is not None:
        left_out.add(_fold_of(load_manifest(model).provenance.held_out))
    fold = min(left_out) if arguments.fold is None else arguments.fold
    if left_out != {fold} or fold == 0:
        raise AedError(
            "the fold was not left out of the training, so its figures would mean nothing",
            where=f"fold {fold}",
            expected="the fold that run and model leave out",
            got=" and ".join(str(value) if value else "none left out" for value in sorted(left_out)),
        )
    return measure(arguments, run, model, fold, [arguments.engine])


def _fold_of(held_out: str) -> int:
    from model_tools.evaluation.networks import folds_in

    return folds_in(held_out)[0]


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
    from model_tools.training.run_folder import read_config

    root = data_folder(arguments)
    clips = [clip for clip in read_esc10(root / "esc10") if clip.fold == fold]
    negatives = read_negatives(root / "negatives" / "clips", held_out=True)
    with ExitStack() as stack:
        variants: dict[str, tuple[evaluate.Scores, Sequence[str]]] = {}
        if run is not None:
            variants["float"] = (evaluate.run_scores(run, SPEC), read_config(run)["outputs"])
        if model is not None:
            for engine in engines:
                scores, used = stack.enter_context(evaluate.int8_scores(model, engine))
                variants[f"int8_{used}"] = (scores, load_manifest(model).slugs)
            if arguments.backend == "c":
                from model_tools.export.native import with_native

                copy = with_native(model, arguments.cache)
                scores, _ = stack.enter_context(evaluate.int8_scores(copy, "native"))
                variants["c"] = (scores, load_manifest(model).slugs)
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


def _everything(arguments: argparse.Namespace) -> dict[str, Any]:
    from aed_daemon import __version__
    from aed_daemon.manifest import DEFAULT_MODEL
    from model_tools.evaluation.accuracy import Bench
    from model_tools.evaluation.card import write_card
    from model_tools.evaluation.clip_scores import fold_clips
    from model_tools.evaluation.everything import compute, find_runs, shipped_recipe, write_figures
    from model_tools.evaluation.listening import Listeners
    from model_tools.evaluation.networks import find_networks, read_network
    from model_tools.evaluation.report import write_report

    shipped = read_network(arguments.default or DEFAULT_MODEL)
    if not arguments.networks.exists():
        raise AedError(
            "there are no networks",
            where=str(arguments.networks),
            expected="a folder of models with their manifests",
            hint="`model-tools protocol` makes them.",
        )
    networks = find_networks([arguments.networks, shipped.path])
    runs = find_runs(arguments.runs) if arguments.backend != "int8" else {}
    recipe = arguments.recipe or shipped_recipe(shipped, networks)
    root = data_folder(arguments)
    clips = fold_clips(root / "esc10", arguments.cache)
    natives = arguments.cache if arguments.backend == "c" else None
    runner: Any = "native" if natives else arguments.engine
    with progress_bar() as progress, Listeners(2, runner, natives=natives) as listeners:
        engine, exact = listeners.engine(shipped.path)
        task = progress.add_task("evaluate", total=None, note="")

        def tell(note: str) -> None:
            progress.update(task, note=note)
            if not progress.console.is_terminal:
                print(note, file=sys.stderr, flush=True)

        bench = Bench(root, arguments.cache, listeners, clips, tell)
        found = compute(bench, networks, shipped, runs, recipe=recipe, hours=arguments.hours)
    found.figures["details"] |= {"engine": engine, "exact": exact, "default": shipped.name}
    write_figures(arguments.out, found.figures)
    drawn = {f"{family}/fold{fold}-seed{seed}": path for (family, fold, seed), path in runs.items()}
    facts = {"aed-daemon": __version__, "engine": engine, "default model": shipped.manifest.sha256[:12]}
    write_report(arguments.report, found, drawn, facts)
    if arguments.card:
        write_card(arguments.card, found.figures)
    return {"figures": str(arguments.out), "report": str(arguments.report)} | {
        key: value for key, value in found.figures.items() if key != "details"
    }
