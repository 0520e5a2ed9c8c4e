"""A process that works an outbox hard and writes down, before and after, what it has seen of it.

`python -m benchmarks.outbox_work FOLDER SEED STEPS`. FOLDER/marks gets a line for every event once it
is committed, and for everything that is let go of before it is: so at any instant the marks say what
the store must hold. Its events are made up; nothing is heard.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aed_daemon.events import Event, Level, ModelRef, iso_utc, new_ulid
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits

STORE = "outbox.db"
MARKS = "marks"
RATE_HZ = 16_000
LIMITS = Limits(events=60, payload_bytes=10_000_000, age_s=1e6)

_AT_S = 1_795_396_461.48


def made_up(kind: str, identity: str) -> Event:
    """Return an event of a sound that never was."""
    over = kind == "end"
    return Event(
        type="end" if over else "update" if kind == "update" else "start",
        id=identity,
        epoch="00000000",
        seq=0,
        node="bench",
        source="nowhere",
        class_="dog",
        label="Dog",
        score=0.93,
        score_max=0.97,
        score_mean=0.91,
        start=iso_utc(_AT_S),
        start_ts=_AT_S,
        start_sample=0,
        end=iso_utc(_AT_S + 1) if over else None,
        end_sample=RATE_HZ if over else None,
        duration_s=1.0 if over else None,
        reason=None,
        published=iso_utc(_AT_S + 1),
        latency_ms=1_000,
        level=Level(rms_dbfs=-23.1, peak_dbfs=-9.8, floor_dbfs=-58.0, snr_db=34.9, clipped=False),
        top=[("dog", 0.93), ("rooster", 0.03)],
        window_s=0.975,
        hop_s=0.24,
        model=ModelRef(name="yamnet256-esc10", sha256="0" * 64),
        engine="litert",
        clip=None,
        clock_synced=True,
        gap_before=False,
        replayed=False,
    )


class Marker:
    """Writes marks, each with one call."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, what: str, **values: Any) -> None:
        """Write a mark."""
        os.write(self._file, (json.dumps({"what": what, **values}) + "\n").encode())

    def committed(self, event: Event) -> None:
        """Mark an event that is committed."""
        self("committed", epoch=event.epoch, seq=event.seq, id=event.id, type=event.type)


def work(folder: Path, seed: int, steps: int) -> None:
    """Append, acknowledge, refuse, announce, close and open again, by chance."""
    chance, mark = random.Random(seed), Marker(folder / MARKS)  # noqa: S311 - reproducible on purpose
    open_ids: list[str] = []

    def start() -> DiskOutbox:
        outbox = DiskOutbox(folder / STORE, LIMITS, Opener(RATE_HZ))
        outbox.listen(mark.committed)
        return outbox

    outbox = start()

    def append() -> None:
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            if open_ids and chance.random() < 0.5:
                over = chance.random() < 0.7
                identity = open_ids.pop() if over else open_ids[-1]
                outbox.append(made_up("end" if over else "update", identity))
            else:
                open_ids.append(new_ulid())
                outbox.append(made_up("start", open_ids[-1]))

    def settle() -> None:
        for entry in outbox.pending(chance.randint(1, 16)):
            refused = chance.random() < 0.1
            event = entry.event
            mark("let go", epoch=event.epoch, seq=event.seq, id=event.id, type=event.type)
            if refused:
                outbox.dead_letter(entry.position, "Not authorized")
            else:
                outbox.acknowledge(entry.position)

    def announce() -> None:
        for hole in outbox.holes()[:1]:
            mark("announced", epoch=hole.epoch, first=hole.first_seq, last=hole.last_seq)
            outbox.announced(hole)

    actions: list[tuple[Callable[[], object], int]] = [
        (append, 12),
        (lambda: outbox.flush(10.0), 6),
        (settle, 2),
        (announce, 1),
    ]
    kinds, weights = zip(*actions, strict=True)
    for step in range(steps):
        chance.choices(kinds, weights)[0]()
        if step % 97 == 96:
            outbox.close(10.0)
            outbox = start()
            open_ids.clear()
    outbox.flush(10.0)
    outbox.close(10.0)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
