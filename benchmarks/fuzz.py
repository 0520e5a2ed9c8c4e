"""`python -m benchmarks.fuzz`: many inputs for every parser; writes benchmarks/reliability.json."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from aed_daemon.inference import available_engines
from benchmarks.reliability import RELIABILITY, update
from tests.fuzz import Case, config, model, sound

_ROOT = Path(__file__).parents[1]
_SHOWN = 3

CASES: dict[str, tuple[Case, int]] = {
    "config": (config.case, 100_000),
    "manifest": (model.manifest, 20_000),
    "tflite": (model.structure, 20_000),
    "recording": (sound.recording, 20_000),
    "pcm": (sound.pcm, 20_000),
    "capture": (sound.messages, 20_000),
}
"""Name of a parser, its cases, and how many of them."""

_MODELS = 4_000
"""Models that each runtime loads, in a process of its own, with manifests that fit them."""


def attempts(case: Case, count: int, first: int) -> tuple[int, int]:
    """Return how many of `count` inputs were accepted, and how many made the parser break."""
    accepted = broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            try:
                accepted += case(seed, Path(folder))
            except Exception:  # whatever leaves a parser is what is looked for
                broken += 1
                if broken <= _SHOWN:
                    print(f"seed {seed}:\n{traceback.format_exc()}", file=sys.stderr)
    return accepted, broken


def crashes(engine: str, count: int, first: int) -> int:
    """Return how many of `count` models made a runtime take its process along, or leave with a traceback."""
    found, seed, end = 0, first, first + count
    while seed < end:
        command = [sys.executable, "-m", "tests.fuzz.load_models", engine, str(seed), str(end - seed)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        found += 1
        seed = int(done.stdout.split()[-1]) + 1
        if found <= _SHOWN:
            print(f"{engine}, seed {seed - 1}: {done.returncode}\n{done.stderr[-1_000:]}", file=sys.stderr)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Try everything; exit status 1 where anything broke."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs; under 1 nothing is recorded")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="number of the first input")
    parser.add_argument("--output", type=Path, default=RELIABILITY, metavar="FILE", help="the record")
    options = parser.parse_args(arguments)
    counts: dict[str, int] = {}
    broken = 0
    for name, (case, most) in CASES.items():
        counts[name] = max(1, round(most * options.share))
        accepted, wrong = attempts(case, counts[name], options.first)
        broken += wrong
        print(f"{name:10} {counts[name]:7} inputs, {accepted:6} accepted, {wrong} broke it", flush=True)
    for engine in available_engines():
        count = max(1, round(_MODELS * options.share))
        wrong = crashes(engine, count, options.first)
        broken += wrong
        counts[engine] = count
        print(f"{engine:10} {count:7} models, {wrong} broke it", flush=True)
    if options.share >= 1:
        update({"fuzz": {**counts, "first_seed": options.first, "crashes": broken}}, options.output)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
