"""`python -m benchmarks.outbox_speed`: what an outbox costs a pipeline, and how soon an event is on disk."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aed_daemon.events import new_ulid
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.outbox import MemoryOutbox, Outbox
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits
from benchmarks import reliability
from benchmarks.measure import percentile, significant
from benchmarks.outbox_work import RATE_HZ, made_up

_BURST = 900  # fewer than the outbox queues before it leaves the disk


def append_us(outbox: Outbox, count: int) -> tuple[float, float]:
    """Return what an append takes its caller, µs, and events per second until all are committed."""
    events = [made_up("end", new_ulid()) for _ in range(count)]
    begun_s = time.perf_counter()
    for event in events:
        outbox.append(event)
    called_s = time.perf_counter() - begun_s
    outbox.flush(60.0)
    return called_s / count * 1e6, count / (time.perf_counter() - begun_s)


def commit_ms(outbox: Outbox, count: int) -> list[float]:
    """Return the times from append to commit, each event by itself, ms."""
    taken = []
    for _ in range(count):
        event = made_up("end", new_ulid())
        begun_s = time.perf_counter()
        outbox.append(event)
        outbox.flush(60.0)
        taken.append((time.perf_counter() - begun_s) * 1e3)
    return taken


def median_of(rounds: int, measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of both figures."""
    first, second = zip(*(measure() for _ in range(rounds)), strict=True)
    return percentile(first, 0.5), percentile(second, 0.5)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure the outbox on a disk, beside the one in memory."""
    outbox = DiskOutbox(folder / "outbox.db", Limits(10_000, 32_000_000, 1e6), Opener(RATE_HZ))
    memory = MemoryOutbox(10_000)
    try:
        called_us, events_per_s = median_of(rounds, lambda: append_us(outbox, _BURST))
        in_memory_us, _ = median_of(rounds, lambda: append_us(memory, _BURST))
        commits = commit_ms(outbox, 40 * rounds)
        if outbox.state.kind != "disk":
            raise RuntimeError(f"the disk was left: {outbox.state.problem}")
    finally:
        outbox.close(30.0)
    return {
        "append_us": significant(called_us, 3),
        "append_us_in_memory": significant(in_memory_us, 3),
        "events_per_s": round(events_per_s),
        "commit_ms": {
            "median": significant(percentile(commits, 0.5), 3),
            "p95": significant(percentile(commits, 0.95), 3),
            "max": significant(max(commits), 3),
        },
    }


def main() -> int:
    """Measure, print, and write benchmarks/reliability.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outbox_speed", description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; unset: the temporary folder")
    parser.add_argument("--no-record", action="store_true", help="leave reliability.json as it is")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="aed-outbox-speed-", dir=options.folder) as name:
        figures = measure(Path(name), rounds=10)
    for what, value in figures.items():
        print(f"{what:20} {value}")
    if not options.no_record:
        reliability.update({"outbox": figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
