"""`model-tools calibrate`: thresholds from a budget of false alarms."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError
from model_tools.cli.common import add_data_options, data_folder, progress_bar

if TYPE_CHECKING:
    from aed_daemon.manifest import ModelManifest
    from model_tools.evaluation.clip_scores import FoldClip
    from model_tools.evaluation.listening import Engine, Stream
    from model_tools.evaluation.networks import Network


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "calibrate",
        help="choose the thresholds of a model by a budget of false alarms, and write them to its manifest",
        description="Listens to negatives that were held out for calibration, real and synthesised, and "
        "chooses the thresholds of all classes so that the 95 % upper bound of the rate of false alarms "
        "keeps to the budget. With validation clips it finds as many of them as the budget allows.",
    )
    add_data_options(parser)
    parser.add_argument("model", type=Path, metavar="MODEL", help="NAME.tflite, its manifest beside it")
    parser.add_argument(
        "--false-alarms-per-hour", type=rate, default=0.5, metavar="RATE", help="the budget (default: 0.5)"
    )
    parser.add_argument(
        "--backend",
        choices=("litert", "tflite"),
        action="append",
        help="engine to calibrate for, with thresholds of its own; may be repeated (default: the fastest "
        "that is installed, its thresholds for all)",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="FILE",
        help="names of validation clips of ESC-10, one a line, that neither training nor a test saw "
        "(default: the validation fold that the manifest names, if any)",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        nargs="+",
        default=(),
        metavar="MODEL",
        help="fold networks of the same recipe: the clips that each of them left out, as it hears them, are "
        "validation clips; clips of this network's own left-out fold are not",
    )
    parser.add_argument(
        "--hours", type=rate, default=1.0, help="of each kind of synthesised sound (default: 1)"
    )
    parser.add_argument(
        "--lowest",
        type=probability,
        help="no threshold is lower (default: 0.4 of brief sounds, 0.5 of those that last)",
    )
    parser.add_argument(
        "--best-effort", action="store_true", help="write what comes closest where the budget cannot be met"
    )
    parser.set_defaults(run_command=run)


def rate(text: str) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def probability(text: str) -> float:
    """Read a number between 0 and 1."""
    value = rate(text)
    if value >= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0 and 1")
    return value


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.inference import available_engines
    from aed_daemon.manifest import load_manifest
    from model_tools.evaluation.calibrate import check_hours, write_manifest
    from model_tools.evaluation.networks import read_network

    manifest, budget = load_manifest(arguments.model), arguments.false_alarms_per_hour
    network = read_network(arguments.model) if _is_esc10(manifest) else None
    clips = _clips_of_peers(arguments, network) if arguments.peers else _validation_clips(arguments, network)
    streams, hours = _negatives(arguments)
    check_hours([hours], budget)  # before they are listened to
    result: dict[str, Any] = {"model": str(arguments.model)}
    with progress_bar() as progress:
        for engine in arguments.backend or [available_engines()[0]]:
            task = progress.add_task(engine, total=len(streams) + len(clips), note="")
            step = partial(progress.advance, task)
            manifest, result[engine] = _calibrated(arguments, manifest, engine, streams, clips, step)
            if not result[engine]["met"]:
                _complain(result[engine], budget, refuse=not arguments.best_effort)
    write_manifest(arguments.model, manifest)
    return result


def _calibrated(
    arguments: argparse.Namespace,
    manifest: ModelManifest,
    engine: Engine,
    streams: list[Stream],
    clips: list[tuple[Path, FoldClip]],
    step: Callable[[], None],
) -> tuple[ModelManifest, dict[str, Any]]:
    from model_tools.evaluation import calibrate
    from model_tools.evaluation.deployed import in_quiet
    from model_tools.evaluation.listening import Listeners, of_samples

    budget = arguments.false_alarms_per_hour
    alone: dict[Path, list[Stream]] = {}
    for i, (listener, clip) in enumerate(clips):
        stream = of_samples(clip.name, clip.slug, in_quiet(clip.samples, i), real=True)
        alone.setdefault(listener, []).append(stream)
    with Listeners(2, engine) as listeners:
        used, exact = listeners.engine(arguments.model)
        negatives = list(listeners.listen(arguments.model, streams, step))
        heard = [
            (found.stream.kind, found)
            for listener, of_listener in alone.items()
            for found in listeners.listen(listener, of_listener, step)
        ]
        material = calibrate.gather(manifest, negatives, heard, lowest=arguments.lowest, each=listeners.map)
    choice = calibrate.choose(material, budget)
    facts = {
        "false_alarms_per_hour": budget,
        "engine": used,
        "lowest": arguments.lowest,
        "part": "calibration",
        "peers": len(arguments.peers),
    }
    changed = calibrate.calibrated(
        manifest, material, choice, facts, exact=exact if arguments.backend else None
    )
    told = calibrate.summary(material, choice)
    return changed, {"thresholds": calibrate.thresholds(changed.for_engine(exact=exact)), **told}


def _negatives(arguments: argparse.Namespace) -> tuple[list[Stream], float]:
    """Return what was held out for calibration, and about how many hours it lasts."""
    from model_tools.data.negatives import negatives
    from model_tools.data.synthetic_hours import KINDS
    from model_tools.evaluation.streams import recorded, synthesised

    clips = negatives(data_folder(arguments), arguments.cache, "calibration")
    hours = sum(clip.duration_s for clip in clips) / 3_600 + len(KINDS) * arguments.hours
    return [*recorded(clips), *synthesised("calibration", arguments.hours)], hours


def _is_esc10(manifest: ModelManifest) -> bool:
    from model_tools.data.esc10 import SLUGS

    return bool(set(manifest.slugs) & set(SLUGS))


def _clips_of_peers(arguments: argparse.Namespace, network: Network | None) -> list[tuple[Path, FoldClip]]:
    """Return the clips that each peer left out, without those that this network is tested on."""
    from model_tools.evaluation.clip_scores import fold_clips
    from model_tools.evaluation.networks import read_network

    if network is None or arguments.clips is not None:
        raise AedError(
            "peers know clips of ESC-10 only", where="--peers", hint="Leave it out, or leave --clips out."
        )
    folds = {peer: read_network(peer).fold for peer in arguments.peers}
    for peer, left_out in folds.items():
        if not left_out:
            raise AedError("a network that left no fold out has no clips to tell of", where=str(peer))
    return [
        (peer, clip)
        for clip in fold_clips(data_folder(arguments) / "esc10", arguments.cache)
        for peer, left_out in folds.items()
        if clip.fold == left_out != network.fold and clip.slug in network.known
    ]


def _validation_clips(arguments: argparse.Namespace, network: Network | None) -> list[tuple[Path, FoldClip]]:
    """Return the clips that are named, or else those of the network's validation fold."""
    from model_tools.evaluation.clip_scores import fold_clips

    if network is None or (arguments.clips is None and not network.validation_fold):
        return []
    clips = [
        c for c in fold_clips(data_folder(arguments) / "esc10", arguments.cache) if c.slug in network.known
    ]
    if arguments.clips is None:
        return [(arguments.model, clip) for clip in clips if clip.fold == network.validation_fold]
    names = {line.strip() for line in arguments.clips.read_text().splitlines() if line.strip()}
    unknown = names - {clip.name for clip in clips}
    if unknown:
        raise AedError(
            "no such clip of a class that the network knows", where=str(arguments.clips), got=min(unknown)
        )
    chosen = [clip for clip in clips if clip.name in names]
    if network.fold in {clip.fold for clip in chosen}:
        raise AedError(
            f"clips of fold {network.fold}, which is left out for the test, must choose nothing",
            where=str(arguments.clips),
        )
    return [(arguments.model, clip) for clip in chosen]


def _complain(told: dict[str, Any], budget: float, *, refuse: bool) -> None:
    text = ", ".join(f"{slug} {real} + {synthetic}" for slug, (real, synthetic) in told["by_class"].items())
    problem = (
        f"no thresholds keep to {budget:g} false alarms per hour; at the closest (real + synthesised): {text}"
    )
    hint = "Train on more negatives like those, or write the closest with --best-effort."
    if refuse:
        raise AedError(problem, hint=hint)
    print(f"model-tools: {problem}.", file=sys.stderr)
