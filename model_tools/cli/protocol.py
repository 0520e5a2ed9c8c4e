"""`model-tools protocol`: make every network that the published figures come from."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError
from model_tools.cli.common import add_data_options, data_folder, positive

if TYPE_CHECKING:
    from model_tools.protocol import Job


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("protocol", help="make the networks that the published figures come from")
    add_data_options(parser)
    parser.add_argument("--list", action="store_true", help="say what there is and what is missing")
    parser.add_argument("--only", default="*", metavar="PATTERN", help='names, such as "scratch/*-seed1"')
    parser.add_argument(
        "--at-once",
        type=positive,
        default=1,
        metavar="N",
        help="networks made at the same time, which share the cores (default: 1)",
    )
    parser.add_argument("--minutes", type=positive, metavar="N", help="begin no network after so long")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed.

    A run that was cut off goes on; a network whose model exists is not made again.
    """
    from model_tools.protocol import jobs

    named = [job for job in jobs() if fnmatch(job.name, arguments.only)]
    needed = {teacher for job in named if not job.made for teacher in job.teachers}
    chosen = [job for job in jobs() if job in named or job.name in needed]
    if not chosen:
        raise AedError("no network has such a name", where="--only", got=arguments.only)
    missing = [job for job in chosen if not job.made]
    if arguments.list:
        return {"made": len(chosen) - len(missing), "missing": [job.name for job in missing]}
    began = time.monotonic()
    made: list[str] = []
    work: dict[str, Future[None]] = {}

    def make(job: Job) -> None:
        for teacher in job.teachers:
            if teacher in work:
                work[teacher].result()
        if arguments.minutes and time.monotonic() - began > 60.0 * arguments.minutes:
            return
        print(f"{job.name}: to be made", file=sys.stderr, flush=True)
        _make(job, arguments)
        made.append(job.name)

    # In order, so that a teacher is never behind a pupil that waits for it.
    with ThreadPoolExecutor(arguments.at_once) as pool:
        for job in missing:
            work[job.name] = pool.submit(make, job)
        try:
            for future in work.values():
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    models = {job.name: job.model for job in jobs()}
    for job in missing:
        if job.quantized and not job.made and all(models[peer].exists() for peer in job.peers):
            _calibrate(job, arguments)
    return {"made": made, "missing": [job.name for job in missing if job.name not in made]}


def _make(job: Job, arguments: argparse.Namespace) -> None:
    from model_tools.protocol import commands

    backbone = data_folder(arguments) / "models" / "yamnet_256_f32.h5"
    for command in commands(job, _options(arguments), backbone):
        _run(job, command, arguments.at_once)


def _calibrate(job: Job, arguments: argparse.Namespace) -> None:
    from model_tools.protocol import calibration

    print(f"{job.name}: thresholds", file=sys.stderr, flush=True)
    _run(job, calibration(job, _options(arguments)), 1)


def _options(arguments: argparse.Namespace) -> list[str]:
    return ["--data", str(data_folder(arguments)), "--cache", str(arguments.cache)]


def _run(job: Job, command: list[str], at_once: int) -> None:
    """Run a command in a process of its own: PyTorch trains, TensorFlow converts, and both keep memory."""
    threads = max(1, (os.cpu_count() or 1) // at_once)
    done = subprocess.run(
        [sys.executable, "-m", "model_tools", *command],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        check=False,
    )
    if done.returncode:
        raise AedError(f"`model-tools {command[0]}` failed for {job.name}", got=f"exit {done.returncode}")
