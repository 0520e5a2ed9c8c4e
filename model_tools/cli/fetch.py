"""`model-tools fetch`: ESC-10, the published backbone, examples, negatives, from their public sources."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError
from model_tools.cli.common import progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress

    from model_tools.data.clip import Clip, Part

_WHAT = ("esc10", "yamnet256-backbone", "examples", "negatives")
_PARTS = ("training", "calibration", "test")

_ABOUT = """\
esc10 downloads the archive of https://github.com/karolpiczak/ESC-10 and checks each of its 400 clips;
yamnet256-backbone the weights that STMicroelectronics publishes with its model zoo, to start training
from. These two addresses have NOT been tried: where this was written there was no way to them.
examples and negatives download freely licensed Debian packages with apt-get; nothing is installed.
examples (4.7 GB) keeps some fifty recordings of the ten classes; negatives (training 2.4 GB, calibration
0.5 GB, test 1.1 GB) music, speech and effects without those that may hold one of the ten classes, and
lets espeak-ng speak for three and a half hours. They need Debian 12, ffmpeg and espeak-ng.
All of them go on where they were cut off.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fetch", help="download ESC-10, a backbone, examples or negatives", description=_ABOUT
    )
    parser.add_argument("what", choices=_WHAT)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="default: $AED_DATA_DIR, else ../shared/data; of examples and negatives the cache folder, cache",
    )
    parser.add_argument("--url", help="another address of the same file")
    parser.add_argument("--part", choices=_PARTS, help="of the negatives (default: all three)")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    if arguments.what == "negatives":
        return _negatives(arguments.out or Path("cache"), arguments.part)
    if arguments.what == "examples":
        return _examples(arguments.out or Path("cache"))
    from model_tools.data.clip import data_dir
    from model_tools.data.public import BACKBONE_URL, ESC10_URL, fetch_backbone, fetch_esc10

    out: Path = arguments.out or data_dir()
    with _bytes_bar() as bar:
        task = bar.add_task(arguments.what, total=None)

        def progress(there: int, total: int | None) -> None:
            bar.update(task, completed=there, total=total)

        if arguments.what == "esc10":
            got = fetch_esc10(out, arguments.url or ESC10_URL, progress)
        else:
            got = fetch_backbone(out, arguments.url or BACKBONE_URL, progress)
    return {"what": arguments.what, "path": str(got)}


def _bytes_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _examples(cache: Path) -> dict[str, Any]:
    from model_tools.data.examples import example_packages, examples

    with progress_bar() as bar:
        missing = _packages(cache, example_packages(), "packages", bar)
    clips = examples(cache, [])
    _complain(missing)
    return {"what": "examples", "path": str(cache), "clips": dict(Counter(clip.slug for clip in clips))}


def _packages(cache: Path, names: list[str], title: str, bar: Progress) -> dict[str, str]:
    """Fetch packages; return why some could not be had."""
    from model_tools.data.packages import fetch_all

    task = bar.add_task(title, total=len(names), note="")
    missing: dict[str, str] = {}
    for package, why in fetch_all(cache, names, lambda name: bar.update(task, note=name)):
        bar.advance(task)
        if why:
            missing[package] = why
    bar.update(task, note="")
    return missing


def _complain(missing: dict[str, str]) -> None:
    for why in missing.values():
        print(f"error: {why}", file=sys.stderr)
    if missing:
        raise AedError(
            f"{len(missing)} packages could not be had, the first is {min(missing)}",
            hint="What is there can be used; run it again for the rest.",
        )


def _negatives(cache: Path, only: Part | None) -> dict[str, Any]:
    from model_tools.data.clip import PARTS
    from model_tools.data.package_table import packages
    from model_tools.data.packages import package_clips
    from model_tools.data.speech import HOURS, speech_clips, synthesise

    parts = PARTS if only is None else (only,)
    missing: dict[str, str] = {}
    result: dict[str, Any] = {"what": "negatives", "path": str(cache), "parts": {}}
    with progress_bar() as bar:
        for part in parts:
            speaking = bar.add_task(f"speech, {part}", total=round(3600 * HOURS[part]), note="")
            synthesise(cache, part, step=lambda s, task=speaking: bar.advance(task, s))  # type: ignore[misc]
            missing |= _packages(cache, packages(part), f"packages, {part}", bar)
    for part in parts:
        clips, left = package_clips(cache, part)
        summary = _summary([*clips, *speech_clips(cache, part)])
        why_left = Counter(one.why.partition(":")[0].partition(" as ")[0] for one in left)
        result["parts"][part] = {**summary, "left_out": dict(why_left.most_common())}
    _complain(missing)
    return result


def _summary(clips: list[Clip]) -> dict[str, Any]:
    hours: defaultdict[str, float] = defaultdict(float)
    for clip in clips:
        hours[clip.kind] += clip.duration_s / 3600.0
    return {
        "clips": len(clips),
        "hours": {kind: round(value, 2) for kind, value in sorted(hours.items())},
        "licences": dict(Counter(clip.licence for clip in clips).most_common()),
    }
