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
from benchmarks.reliability import RELIABILITY, read, update
from tests.fuzz import Case, config, model, sound

_ROOT = Path(__file__).parents[1]
_SHOWN = 3

CASES: dict[str, tuple[Case, int]] = {
    "config": (config.case, 100_000),
    "manifest": (model.manifest, 20_000),
    "model_file": (model.structure, 20_000),
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
    """Try everything, or what is named; exit status 1 where anything broke."""
    names = [*CASES, *available_engines()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of: {', '.join(names)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs; under 1 nothing is recorded")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="number of the first input")
    parser.add_argument("--output", type=Path, default=RELIABILITY, metavar="FILE", help="the record")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in names]
    if unknown:
        parser.error(f"there is no parser {', '.join(unknown)}; there are: {', '.join(names)}")
    broken = 0
    for name in options.names or names:
        if name in CASES:
            case, most = CASES[name]
            count = max(1, round(most * options.share))
            accepted, wrong = attempts(case, count, options.first)
            print(f"{name:10} {count:7} inputs, {accepted:6} accepted, {wrong} broke it", flush=True)
        else:
            count = max(1, round(_MODELS * options.share))
            wrong = crashes(name, count, options.first)
            print(f"{name:10} {count:7} models, {wrong} broke it", flush=True)
        broken += wrong
        if options.share >= 1:
            note(name, count, wrong, options.output)
    return 1 if broken else 0


def note(name: str, count: int, broken: int, path: Path) -> None:
    """Put one parser's figures into the record, with the sum of what broke any."""
    before = read(path).get("fuzz", {}).get("broken", {})
    update({"fuzz": {name: count, "broken": {name: broken}}}, path)
    update({"fuzz": {"crashes": sum({**before, name: broken}.values())}}, path)


if __name__ == "__main__":
    sys.exit(main())
