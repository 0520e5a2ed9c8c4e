"""Shelf: the first of what waits on disk, in memory, so that delivery never waits for the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable

from aed_daemon.sinks.store_rows import Row

SHELF_MOST = 128
"""Rows on the shelf; more than delivery has under way at once."""

SHELF_LOW = 64


class Shelf:
    """The oldest rows, in order. Not safe from several threads by itself."""

    def __init__(self) -> None:
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self.end = -1
        """Position up to which the disk was read."""
        self.more = False
        """Whether the disk has rows after `end`."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is on it, oldest first."""
        return tuple(self._rows.values())

    @property
    def oldest(self) -> Row | None:
        """The first row."""
        return next(iter(self._rows.values()), None)

    @property
    def wants(self) -> int:
        """How many rows to read from the disk now."""
        return SHELF_MOST - len(self._rows) if self.more and len(self._rows) <= SHELF_LOW else 0

    def put(self, rows: Iterable[Row], settled: Container[int] = ()) -> None:
        """Add rows that were read from the disk."""
        for row in rows:
            self.end = max(self.end, row.position)
            if row.position not in settled:
                self._rows[row.position] = row

    def follow(self, row: Row) -> None:
        """Add a row that was just written, if those before it are all here and there is room."""
        if self.more or len(self._rows) >= SHELF_MOST:
            self.more = True
        else:
            self.put((row,))

    def take(self, position: int) -> bool:
        """Remove a row; return whether it was here."""
        return self._rows.pop(position, None) is not None

    def pick(self, limit: int, under_way: Container[int], since_s: float) -> list[Row]:
        """Return the first rows that are not `under_way` and were committed at `since_s` or later."""
        found: list[Row] = []
        for row in self._rows.values():
            if len(found) >= limit:
                break
            if row.position not in under_way and row.committed_s >= since_s:
                found.append(row)
        return found

    def read_again(self) -> None:
        """Forget everything: the disk is to be read from its beginning."""
        self._rows.clear()
        self.end, self.more = -1, True
