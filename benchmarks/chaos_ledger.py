"""Ledger: what a daemon has committed, known without asking the daemon.

Two witnesses. The store file, copied and read whenever the daemon is dead: its counter says how many
numbers an epoch has given out, and a number is given out in the very transaction that stores the
event, so all below the counter were committed; rows that wait there show what they say. And the
daemon's standard output, whose lines it writes after the commit: whatever is there was committed
too. The lines are missing what was committed in the last moment before a SIGKILL; the file is not.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Number = tuple[str, int]
"""Epoch and seq."""

Content = dict[str, Any]

MAY_DIFFER = ("replayed",)
"""What may differ between two deliveries of an event."""


def content(payload: str | bytes) -> Content:
    """Return what an event says, without what a repetition may change."""
    event: Content = json.loads(payload)
    return {key: value for key, value in event.items() if key not in MAY_DIFFER}


def number(event: Content) -> Number:
    """Return an event's number."""
    return event["epoch"], event["seq"]


@dataclass
class Ledger:
    """What was committed.

    Attributes
    ----------
    counts : dict of str to int
        How many numbers an epoch has given out, by epoch, in the order in which they were seen.
    contents : dict
        What an event says, for those that a witness has shown.
    changed : set of Number
        Those that two witnesses tell differently.
    waiting, dead_letters : int
        How many events the store held when it was read last.
    reads : int
        How often a store was read.
    """

    counts: dict[str, int] = field(default_factory=dict)
    contents: dict[Number, Content] = field(default_factory=dict)
    changed: set[Number] = field(default_factory=set)
    waiting: int = 0
    dead_letters: int = 0
    reads: int = 0

    @property
    def committed(self) -> set[Number]:
        """Return every number that was given out."""
        return {(epoch, seq) for epoch, count in self.counts.items() for seq in range(count)}

    def read_store(self, path: Path) -> None:
        """Take what a store holds; nobody may have it open. Only a copy of it is opened."""
        if not path.exists():  # killed before there was one
            return
        with TemporaryDirectory(prefix="aed-chaos-") as folder:
            for file in (path, path.with_name(f"{path.name}-wal")):
                if file.exists():
                    shutil.copyfile(file, Path(folder) / file.name)
            with closing(sqlite3.connect(Path(folder) / path.name)) as db:
                if not db.execute("SELECT name FROM sqlite_master WHERE name = 'counter'").fetchone():
                    return
                counter = db.execute("SELECT epoch, next_seq FROM counter").fetchone()
                rows = db.execute("SELECT payload FROM waiting ORDER BY position").fetchall()
                refused = db.execute("SELECT payload FROM dead_letter").fetchall()
        self.reads += 1
        if counter is not None:
            self._count(*counter)
        self.waiting, self.dead_letters = len(rows), len(refused)
        for (payload,) in [*rows, *refused]:
            self.add(payload)

    def read_lines(self, lines: Iterable[str]) -> None:
        """Take what a daemon has printed; a last line that a kill has cut off says nothing."""
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                continue
            self.add(line)

    def add(self, payload: str) -> None:
        """Take an event that is known to be committed."""
        event = content(payload)
        if self.contents.setdefault(number(event), event) != event:
            self.changed.add(number(event))
        self._count(event["epoch"], event["seq"] + 1)

    def _count(self, epoch: str, count: int) -> None:
        self.counts[epoch] = max(self.counts.get(epoch, 0), count)
