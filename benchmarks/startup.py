"""Time from exec to READY=1, where it goes, and how soon --help answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aed_daemon.inference import available_engines
from benchmarks.clips import RATE_HZ, quiet, to_s16
from benchmarks.measure import Samples, significant, take
from benchmarks.outcome import Limit, Outcome, Row
from benchmarks.rig import Rig, aed_daemon, rig

READY_LIMIT = Limit(1.5)
HELP_LIMIT = Limit(0.2)
_SLOW_IMPORT_MS = 20.0
_BARE = "import sys; from aed_daemon.inference import load_classifier; load_classifier(engine=sys.argv[1])"


@contextmanager
def listening_room() -> Iterator[Rig]:
    """Set up a rig whose microphone hears a quiet room."""
    with rig() as found, found.pulse.playing(to_s16(quiet(10 * RATE_HZ, 1)), loop=True):
        yield found


def slow_imports(report: str) -> dict[str, float]:
    """Return the imports that took longer than 20 ms with all that they import, ms, slowest first.

    Parameters
    ----------
    report : str
        What python -X importtime writes.
    """
    found: dict[str, float] = {}
    for cumulative_us, name in re.findall(r"(?m)^import time: +\d+ \| +(\d+) \| +(\S+)$", report):
        milliseconds = int(cumulative_us) / 1_000
        if milliseconds > _SLOW_IMPORT_MS:
            found[name] = max(found.get(name, 0.0), round(milliseconds, 1))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def ready(*, quick: bool) -> Outcome:
    """Measure the start."""
    runs = 2 if quick else 9
    engine = available_engines()[0]
    times, bare = [], []
    phases: list[dict[str, float]] = []
    with listening_room() as room:
        for _ in range(runs):
            with room.daemon() as daemon:
                times.append(daemon.wait_ready())
                phases.append(daemon.phases())
            bare.append(take([sys.executable, "-c", _BARE, engine]).wall_s)
        imports = _imports(room)
    taken, least = Samples(tuple(times)), Samples(tuple(bare))
    median = taken.spread(3)["median"]
    reached = {
        name: round(Samples(tuple(phase[name] for phase in phases)).median, 3)
        for name in ("listening", "source_online")
        if all(name in phase for phase in phases)
    }
    beside = f"worst {max(times):.2f}; NumPy, {engine} and the network alone {least.median:.2f}"
    rows = [Row("start to READY", median, "s", beside, READY_LIMIT)]
    rows += [Row(f"  {name.replace('_', ' ')}", seconds, "s") for name, seconds in reached.items()]
    rows += [Row(f"  import {name}", ms, "ms") for name, ms in list(imports.items())[:12]]
    return Outcome(
        figures={"ready_s": median},
        details={
            "unit": "s",
            "engine": engine,
            "spread": taken.spread(3),
            "numpy_engine_and_network": least.spread(3),
            "reached": reached,
            "imports_over_20_ms": imports,
        },
        rows=rows,
    )


def _imports(room: Rig) -> dict[str, float]:
    """Return the slow imports of one start; the interpreter's bookkeeping makes each a little slower."""
    with room.daemon("imports", python_options=("-X", "importtime")) as daemon:
        daemon.wait_ready()
        return slow_imports(daemon.log)


def help_(*, quick: bool) -> Outcome:
    """Measure `aed-daemon --help`."""
    own, interpreter = [], []
    for _ in range(4 if quick else 11):  # the first fills the disk cache
        own.append(take([*aed_daemon(), "--help"]).wall_s)
        interpreter.append(take([sys.executable, "-c", "pass"]).wall_s)
    taken, least = Samples(tuple(own[1:])), Samples(tuple(interpreter[1:]))
    median = significant(taken.median, 3)
    return Outcome(
        figures={"help_s": median},
        details={"unit": "s", "spread": taken.spread(3), "interpreter_alone": least.spread(3)},
        rows=[
            Row(
                "--help",
                median,
                "s",
                f"worst {max(taken.values):.3f}; interpreter alone {least.median:.3f}",
                HELP_LIMIT,
            )
        ],
    )
