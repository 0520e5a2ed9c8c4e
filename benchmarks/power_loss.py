"""`python -m benchmarks.power_loss`: cut the power under a working outbox, at arbitrary writes.

A process works an outbox while every write and sync is recorded; then, for a thousand instants, what
the disk may hold is made, opened by the daemon's own code, and compared with what was committed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from aed_daemon.events import Event
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.store_file import Opener
from benchmarks import reliability
from benchmarks.disk_images import Disk, Operation, build_recorder, operations
from benchmarks.outbox_work import LIMITS, MARKS, RATE_HZ, STORE, made_up

ROOT = Path(__file__).parents[1]

Number = tuple[str, int]


@dataclass
class Marks:
    """What a working process has written down until some instant.

    An event that was stored just before a kill has no mark of its commit; it may show up later, as
    one that was delivered or dropped.
    """

    committed: dict[Number, tuple[str, str]] = field(default_factory=dict)
    delivered: dict[Number, tuple[str, str]] = field(default_factory=dict)
    announced: set[Number] = field(default_factory=set)

    def add(self, line: str) -> None:
        """Add a mark."""
        mark: dict[str, Any] = json.loads(line)
        if mark["what"] == "committed":
            self.committed[mark["epoch"], mark["seq"]] = mark["id"], mark["type"]
        elif mark["what"] == "let go":
            self.delivered[mark["epoch"], mark["seq"]] = mark["id"], mark["type"]
        else:
            self.announced |= {(mark["epoch"], seq) for seq in range(mark["first"], mark["last"] + 1)}

    def open_ids(self) -> set[str]:
        """Return what has started and not ended."""
        seen = [*self.committed.values(), *self.delivered.values()]
        return {identity for identity, _ in seen} - {identity for identity, kind in seen if kind == "end"}


@dataclass(frozen=True)
class Verdict:
    """What one image was found to be."""

    corrupt: int
    lost: int
    reused: int
    changed: int
    left_open: int

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self == Verdict(0, 0, 0, 0, 0)


def judge(folder: Path, marks: Marks) -> Verdict:
    """Open the store in a folder as the daemon does at its next start, and compare it with the marks."""
    outbox = DiskOutbox(folder / STORE, LIMITS, Opener(RATE_HZ))
    heard: list[Event] = []
    outbox.listen(heard.append)
    outbox.append(made_up("start", "0" * 26))
    outbox.flush(20.0)
    on_disk = outbox.state.kind == "disk"
    outbox.close(20.0)
    store = Opener(RATE_HZ).open(folder / STORE, LIMITS)
    try:
        kept = {(row.epoch, row.seq): Event.model_validate_json(row.payload) for row in store.rows()}
        count = store.depth
        refused = [Event.model_validate_json(refusal.payload) for refusal in store.refusals()]
        covered = {number for hole in store.holes() for number in _numbers(hole)}
    finally:
        store.close()
    dropped = covered | marks.announced
    known = kept.keys() | {(event.epoch, event.seq) for event in refused} | dropped | marks.delivered.keys()
    new = {(event.epoch, event.seq) for event in heard}
    last_epoch = next(reversed(marks.committed))[0] if marks.committed else None
    changed = sum(
        event.id != marks.committed[number][0] for number, event in kept.items() if number in marks.committed
    )
    ended = {event.id for event in [*kept.values(), *refused, *heard] if event.type == "end"}
    damaged = any("damaged" in file.name for file in folder.iterdir())
    unseen = len(dropped - marks.committed.keys())
    continued = last_epoch in (None, heard[-1].epoch)
    return Verdict(
        corrupt=int(damaged or not on_disk or not continued),
        lost=len(marks.committed.keys() - known),
        reused=len(new & marks.committed.keys()) + count - len(kept),
        changed=changed,
        left_open=max(0, len(marks.open_ids() - ended) - unseen),
    )


def _numbers(hole: Hole) -> Iterator[Number]:
    for seq in range(hole.first_seq, hole.last_seq + 1):
        yield hole.epoch, seq


def record_work(folder: Path, seed: int, steps: int, *, lying: bool = False) -> list[Operation]:
    """Return every operation of a process that works an outbox; `lying`: without its syncs."""
    place, log = folder / "work", folder / "record"
    place.mkdir()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(build_recorder(folder)),
        "RECORD_FOLDER": str(place),
        "RECORD_LOG": str(log),
        **({"RECORD_NO_SYNC": "1"} if lying else {}),
    }
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.outbox_work", place, str(seed), str(steps)]
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    return list(operations(log.read_bytes()))


def verdicts(found: list[Operation], snapshots: int, seed: int, folder: Path) -> Iterator[Verdict]:
    """Yield what comes of power cuts at so many instants, in order of time."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    instants = sorted(chance.choices(range(1, len(found) + 1), k=snapshots))
    disk, marks, done = Disk(), Marks(), 0
    for number, instant in enumerate(instants):
        for operation in found[done:instant]:
            if operation.name == MARKS:
                if operation.kind == "W":
                    marks.add(operation.data.decode())
            else:
                disk.apply(operation)
        done = instant
        place = folder / f"image{number}"
        place.mkdir()
        for name, content in disk.image(chance).items():
            (place / name).write_bytes(content)
        yield judge(place, marks)
        shutil.rmtree(place)


def totals(found: Iterable[Verdict]) -> dict[str, int]:
    """Add verdicts up."""
    every = list(found)
    return {
        "snapshots": len(every),
        "corrupt": sum(verdict.corrupt for verdict in every),
        "lost": sum(verdict.lost for verdict in every),
        "reused": sum(verdict.reused for verdict in every),
        "changed": sum(verdict.changed for verdict in every),
        "left_open": sum(verdict.left_open for verdict in every),
    }


def main() -> int:
    """Run it, write benchmarks/reliability.json and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.power_loss", description=__doc__)
    parser.add_argument("--snapshots", type=int, default=1_000, help="power cuts (1000)")
    parser.add_argument("--steps", type=int, default=1_500, help="what the outbox is put through (1500)")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    parser.add_argument("--no-record", action="store_true", help="leave reliability.json as it is")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3), "big")
    print(f"seed {seed}", flush=True)
    begun_s = time.monotonic()
    with TemporaryDirectory(prefix="aed-power-loss-") as name:
        found = record_work(Path(name), seed, options.steps)
        syncs = sum(operation.kind == "S" for operation in found)
        print(f"{len(found)} operations recorded, {syncs} of them syncs", flush=True)
        figures = totals(verdicts(found, options.snapshots, seed, Path(name)))
    for what, value in figures.items():
        print(f"{what:12} {value}")
    if not options.no_record:
        took_s = round(time.monotonic() - begun_s, 1)
        details = {"seed": seed, "operations": len(found), "syncs": syncs, "took_s": took_s}
        reliability.update({"power_loss": figures}, details=details)
    return int(any(value for what, value in figures.items() if what != "snapshots"))


if __name__ == "__main__":
    sys.exit(main())
