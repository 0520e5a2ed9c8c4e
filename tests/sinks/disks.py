"""Outboxes on disk for tests, and small disks that can be full, read-only or hang."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.events import Event
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.store import Store
from aed_daemon.sinks.store_file import Opener
from aed_daemon.sinks.store_rows import Limits
from tests.sinks.parts import draft
from tests.waiting import wait_for

RATE_HZ = 16_000


def limits(events: int = 10_000, payload_bytes: int = 10_000_000, age_s: float = 1e6) -> Limits:
    return Limits(events, payload_bytes, age_s)


class Clocks:
    """A monotonic clock and a time of day that a test sets."""

    def __init__(self, utc_s: float = 1_800_000_000.0) -> None:
        self.now_s, self.utc_s = 1_000.0, utc_s

    def on(self, seconds: float) -> None:
        self.now_s += seconds
        self.utc_s += seconds

    def opener(self, process: int = 1) -> Opener:
        return Opener(RATE_HZ, lambda: self.now_s, lambda: self.utc_s, process)


@contextmanager
def store(path: Path, opener: Opener | None = None, **bounds: Any) -> Iterator[Store]:
    found = (opener or Opener(RATE_HZ)).open(path, limits(**bounds))
    try:
        yield found
    finally:
        found.close()


class Disk:
    """An outbox on disk, and what it has handed on."""

    def __init__(self, path: Path, opener: Opener | None = None, **options: Any) -> None:
        bounds = {name: options.pop(name) for name in ("events", "payload_bytes", "age_s") if name in options}
        self.outbox = DiskOutbox(path, limits(**bounds), opener or Opener(RATE_HZ), **options)
        self.heard: list[Event] = []
        self.outbox.listen(self.heard.append)

    def append(self, count: int = 1, **changes: Any) -> None:
        """Append events, and wait until they are committed."""
        for _ in range(count):
            self.outbox.append(draft(**changes))
        assert self.outbox.flush(20.0)

    def waiting(self, count: int | None = None) -> list[tuple[str, int]]:
        """Return epoch and seq of the first events that wait, as delivery finds them."""
        count = self.outbox.depth if count is None else count
        wait_for(lambda: len(self.outbox.pending(count)) >= min(count, 64), f"{count} entries")
        return [(entry.event.epoch, entry.event.seq) for entry in self.outbox.pending(count)]

    def deliver(self) -> list[Event]:
        """Return everything that waits, acknowledged one after the other."""
        events = []
        while self.outbox.depth:
            wait_for(lambda: self.outbox.pending(16), "something to deliver")
            for entry in self.outbox.pending(16):
                events.append(entry.event)
                self.outbox.acknowledge(entry.position)
        return events


@contextmanager
def disk(path: Path, opener: Opener | None = None, **options: Any) -> Iterator[Disk]:
    """Run an outbox on disk."""
    found = Disk(path, opener, **options)
    try:
        yield found
    finally:
        found.outbox.close(10.0)


def ends(event: Event, utc_s: float = 1_795_396_470.0) -> dict[str, Any]:
    """Return what makes a draft the end of a sound."""
    return {"type": "end", "id": event.id, "end_ts": utc_s}


@contextmanager
def mounted(folder: Path, *arguments: str | Path) -> Iterator[Path]:
    """Mount a file system; only root may."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir()
    done = subprocess.run(["mount", *arguments, folder], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount does not work here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of a size, in memory."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as place:
        yield place


@contextmanager
def block_disk(folder: Path) -> Iterator[Path]:
    """A disk with ext4 that can hang and go read-only under those who use it."""
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True, capture_output=True)
    with mounted(folder, "-o", "loop", image) as place:
        yield place


@contextmanager
def frozen(place: Path) -> Iterator[None]:
    """Make every write to a disk hang."""
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)
