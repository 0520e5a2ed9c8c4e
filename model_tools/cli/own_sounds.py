"""What `train` and `quantize` do with sounds of a user's own."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError
from model_tools.cli.common import progress_bar
from model_tools.cli.train import start_of, train_with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_tools.data.clip import Clip
    from model_tools.evaluation.own_check import OwnCheck
    from model_tools.training.own import OwnSounds
    from model_tools.training.recipe import TrainRecipe

CHECK_FILE = "check.json"
_FEW_CLIPS = 200


def train_own(arguments: argparse.Namespace, recipe: TrainRecipe) -> dict[str, Any]:
    """Train on sounds of a user's own, after a run that is checked on a part of them.

    Raises
    ------
    AedError
        If sounds or options are not right.
    """
    from aed_daemon.spec import YAMNET_256
    from model_tools.training.material import HeldOut
    from model_tools.training.own import own_material, read_own
    from model_tools.training.run_folder import write_text

    if arguments.teachers or arguments.leave_out:
        raise AedError("only for ESC-10", where="--teachers, --leave-out", hint="Leave them out.")
    start = start_of(arguments)
    layout = None if arguments.layout == "auto" else arguments.layout
    names = [name for name in arguments.classes.split(",") if name]
    with progress_bar() as progress:
        progress.add_task("listen", total=None, note="")
        sounds = read_own(arguments.data, YAMNET_256, layout, names)
    tell(sounds)
    known = sum(1 for clip in sounds.clips if clip.slug)
    if start is None and known < _FEW_CLIPS:
        print(f"note: {known} clips are few for random weights; --base default needs fewer.", file=sys.stderr)
    negatives = own_negatives(arguments.cache)
    folder: Path = arguments.run or Path("runs") / arguments.data.resolve().stem
    held_out = HeldOut(arguments.fold or 0, arguments.validation_fold)
    result: dict[str, Any] = {"run": str(folder), "clips": known}
    checked = None
    if held_out != HeldOut():
        _refuse_no_folds(sounds, arguments)
    elif not arguments.no_check:
        checked = _check(arguments, recipe, sounds, negatives, folder)
    material = own_material(sounds, negatives, held_out)
    result |= train_with_progress(arguments, material, recipe, folder, start=start)
    if checked:
        result["check"] = checked.as_dict()
        write_text(folder / CHECK_FILE, json.dumps(checked.as_dict(), indent=1) + "\n")
        print(f"{checked}.", file=sys.stderr)
    print(f"Next: model-tools quantize {folder}", file=sys.stderr)
    return result | {"classes": list(material.outputs[:-1])}


def tell(sounds: OwnSounds) -> None:
    """Say what is wrong with the sounds, and what has come out of them."""
    for finding in sounds.findings:
        left_out = " It is left out." if finding.level == "error" else ""
        print(f"{finding}{left_out}", file=sys.stderr)
    for slug, kind in sorted(sounds.classes.items()):
        count = sum(1 for clip in sounds.clips if clip.slug == slug)
        brief, lasting = "short, starts an event at its second hop", "goes on, is confirmed for half a second"
        mode = brief if kind.instant else lasting
        print(f"class {slug}: {count} clips; {mode}.", file=sys.stderr)


def own_negatives(cache: Path) -> list[Clip]:
    """Return recordings of no class to train against; speech from a formula where none was fetched."""
    from model_tools.data.babble import babble_clips
    from model_tools.data.clip import data_dir
    from model_tools.data.negatives import negatives
    from model_tools.training.own import some_negatives

    found = some_negatives(negatives(data_dir(), cache, "training"))
    if not any(clip.collection.startswith(("debian:", "espeak-ng")) for clip in found):
        print(
            "note: there is little or no speech, music and noise of things to train against, so more of it "
            "will be taken for your classes; `model-tools fetch negatives` brings hours of it.",
            file=sys.stderr,
        )
        found += babble_clips(cache)
    return found


def _check(
    arguments: argparse.Namespace,
    recipe: TrainRecipe,
    sounds: OwnSounds,
    negatives: Sequence[Clip],
    folder: Path,
) -> OwnCheck | None:
    from aed_daemon.spec import YAMNET_256
    from model_tools.evaluation.own_check import check
    from model_tools.quantize import OWN_THRESHOLD_ON
    from model_tools.training.material import HeldOut
    from model_tools.training.own import CHECKED, divided, own_material
    from model_tools.training.run_folder import describe, read_config, read_weights

    clips = divided(sounds)
    if clips is None:
        print(
            "note: no class has four recordings, so there is nothing to check the network on.",
            file=sys.stderr,
        )
        return None
    material = own_material(sounds, negatives, HeldOut(fold=CHECKED), clips)
    place = folder / "check"
    try:
        weights = read_weights(place, YAMNET_256)
        done = read_config(place) == describe(material, recipe, YAMNET_256)
    except AedError:
        done = False
    if not done:
        start = start_of(arguments)
        train_with_progress(arguments, material, recipe, place, start=start, title="train for the check")
        weights = read_weights(place, YAMNET_256)
    held = [clip for clip in clips if clip.slug and clip.fold == CHECKED]
    return check(weights, held, material.outputs, YAMNET_256, OWN_THRESHOLD_ON)


def _refuse_no_folds(sounds: OwnSounds, arguments: argparse.Namespace) -> None:
    if not all(clip.fold for clip in sounds.clips if clip.slug):
        raise AedError(
            "the sounds have no folds",
            where="--fold",
            expected="a table with a column `fold`, 1 to 5",
            got=str(arguments.data),
            hint="Leave the option out: a quarter of the recordings is then held out for a check.",
        )


def model_name(data: str) -> str:
    """Return what a model that learnt from a folder is called in its manifest."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data).stem).strip("-._")
    return name[:64] or "own"
