"""`python -m benchmarks [NAME ...] [--quick]`: measure, print a table, keep the record."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import record
from benchmarks.measure import ONE_THREAD, ProgramError
from benchmarks.outcome import Outcome, Row, UnavailableError

BENCHMARKS = {
    "log_mel": ("log_mel", "run"),
    "resample": ("resampling", "run"),
    "exposure": ("exposure", "run"),
    "help": ("startup", "help_"),
    "ready": ("startup", "ready"),
    "memory": ("memory", "run"),
    "latency": ("latency", "run"),
    "replay": ("replay", "run"),
    "training": ("training", "run"),
    "engines": ("engines", "run"),
    "mcu": ("mcu", "run"),
}
"""Name, and the module and function that measure it."""

OWN_RECORDS = {"mcu": Path(__file__).with_name("mcu.json")}
"""Of what is measured only where it is named: an emulator's counts are no speeds of this machine."""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed, memory and latency, each beside its baseline in the same run.",
        epilog="Exit status 1: a figure misses its limit, or a benchmark could not run.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all but mcu, or some of: {', '.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="short runs, to see that all works; nothing is recorded"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the record; default: results.json, of mcu mcu.json",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    os.environ.update(ONE_THREAD)  # before NumPy is imported
    here = record.machine()
    print(f"{here['cpu']}, {here['cores']} cores, Python {here['python']}\n")
    good = True
    for name in options.names or [name for name in BENCHMARKS if name not in OWN_RECORDS]:
        load = os.getloadavg()[0]
        when = record.occasion(load)
        try:
            outcome = _measure(name)(quick=options.quick)
        except (UnavailableError, ProgramError) as error:
            print(f"{name}: not measured: {error}", flush=True)
            good = False
            continue
        for row in outcome.rows:
            print(line(row), flush=True)
        good &= all(row.limit is None or row.limit.met(row.value) for row in outcome.rows)
        if not options.quick:
            path = options.output or OWN_RECORDS.get(name, record.RESULTS)
            record.write(record.merged(record.read(path), name, outcome, here, when), path)
    return 0 if good else 1


def _measure(name: str) -> Callable[..., Outcome]:
    module, function = BENCHMARKS[name]
    found: Callable[..., Outcome] = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    return found


def line(row: Row) -> str:
    """Return a line of the table."""
    kept = ""
    if row.limit is not None:
        kept = f"{row.limit} {'kept' if row.limit.met(row.value) else 'MISSED'}"
    return f"{row.what:34} {row.value:>9g} {row.unit:12} {kept:15} {row.beside}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
