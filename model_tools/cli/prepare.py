"""`model-tools prepare`: read sounds, check them, decode them once."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError, AudioError
from model_tools.cli.common import positive, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_tools.data.clip import Clip
    from model_tools.data.findings import Finding
    from model_tools.data.prepared import Prepared

_LAYOUTS = ("esc10", "esc50", "fsd50k", "csv", "folders")

_ABOUT = """\
Reads ESC-10, ESC-50, FSD50K, a CSV table (file,label[,fold][,source][,licence]) or a folder per class,
tells what is wrong with any file and what to do, and writes log-mel frames to OUT. A summary goes to
standard output as JSON, everything else to standard error. Run again after mending: only what has
changed is decoded. The readers of ESC-50 and FSD50K have been tried on imitations of their folders only.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "prepare", help="read, check and decode a folder of sounds", description=_ABOUT
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set, or its table")
    parser.add_argument("--layout", choices=("auto", *_LAYOUTS), default="auto", help="default: auto")
    parser.add_argument(
        "--classes",
        default="",
        metavar="A,B",
        help="use these only; of FSD50K `dog=Bark` names the label, `bell=Church_bell|Bicycle_bell` two",
    )
    parser.add_argument("--out", type=Path, default=Path("cache") / "prepared", metavar="DIR")
    parser.add_argument(
        "--folds", type=positive, default=5, help="where there are no official ones (default: 5)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of those folds (default: 1)")
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out files with errors instead of failing"
    )
    parser.add_argument("--allow-leaks", action="store_true", help="accept folds that divide a recording")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.spec import YAMNET_256 as SPEC
    from model_tools.data.layouts import read_data
    from model_tools.data.prepared import prepare, write_index

    layout = None if arguments.layout == "auto" else arguments.layout
    classes = [name for name in arguments.classes.split(",") if name]
    reading = read_data(arguments.data, layout, classes)
    fresh: Counter[bool] = Counter()
    with progress_bar() as progress:
        task = progress.add_task("decode", total=len(reading.clips), note="")

        def step(decoded: bool) -> None:
            fresh[decoded] += 1
            progress.advance(task)

        found, noticed = prepare(reading.clips, SPEC, arguments.out, step)
    findings = [*reading.findings, *noticed]
    for finding in findings:
        print(finding, file=sys.stderr)
    levels = Counter(finding.level for finding in findings)
    found = _usable(found, findings, levels["error"], skip_bad=arguments.skip_bad)
    found, leaking = _folded(found, arguments)
    index = write_index(
        arguments.out,
        found,
        SPEC,
        layout=reading.layout,
        data=str(arguments.data.resolve()),
        folds=dict(sorted(Counter(str(one.clip.fold) for one in found).items())),
        leaks=leaking,
    )
    done = {"decoded": fresh[True], "kept": fresh[False], "left_out": len(reading.clips) - len(found)}
    return {
        "out": str(arguments.out),
        **index,
        **done,
        "errors": levels["error"],
        "warnings": levels["warning"],
    }


def _usable(
    found: list[Prepared], findings: Sequence[Finding], errors: int, *, skip_bad: bool
) -> list[Prepared]:
    if errors and not skip_bad:
        raise AudioError(
            f"{errors} errors are told above",
            expected="none",
            got=str(errors),
            hint="Mend them and run again, or give --skip-bad to go on without these files.",
        )
    bad = {finding.where for finding in findings if finding.level == "error"}
    return [one for one in found if str(one.clip.path) not in bad and f"class {one.clip.slug}" not in bad]


def _folded(found: list[Prepared], arguments: argparse.Namespace) -> tuple[list[Prepared], int]:
    """Return the clips with their folds, and how many recordings are divided by them."""
    from dataclasses import replace

    from model_tools.data.split import check_leaks, with_folds

    if not any(one.clip.slug for one in found):
        raise AedError("nothing is left to learn from", where=str(arguments.data))
    sounds = {one.clip.path: one.facts.sound for one in found}
    clips = with_folds([one.clip for one in found], folds=arguments.folds, seed=arguments.seed, sounds=sounds)
    leaking: set[str] = set()
    classed = [clip for clip in clips if clip.slug]
    for fold in sorted({clip.fold for clip in classed}):
        inside: list[Clip] = [clip for clip in classed if clip.fold == fold]
        outside = [clip for clip in classed if clip.fold != fold]
        leaks = check_leaks(outside, inside, sounds=sounds, allow_leaks=arguments.allow_leaks)
        for leak in leaks:
            if str(leak) not in leaking:
                print(f"warning: fold {fold}: {leak}.", file=sys.stderr)
            leaking.add(str(leak))
    return [replace(one, clip=clip) for one, clip in zip(found, clips, strict=True)], len(leaking)
