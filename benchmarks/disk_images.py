"""What a disk may hold after a power cut: images made of a record of every write and every sync.

A write is only sure to be there after a sync of its file, a name after a sync of its folder. Until
then any of the 512-byte sectors of what was written may be there or not, in any order; names come and
go in the order of the calls, up to some point. The last write may be torn at any byte.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.outcome import UnavailableError

SECTOR = 512
RECORDER = Path(__file__).with_name("write_recorder.c")

_HEAD = struct.Struct("<cHQI")


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that changed a file: kind C, W, T, S or D (see write_recorder.c)."""

    kind: str
    name: str
    offset: int
    data: bytes


def build_recorder(folder: Path) -> Path:
    """Compile the recorder; raises UnavailableError without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise UnavailableError("a C compiler is missing: apt-get install gcc libc6-dev")
    library = folder / "write_recorder.so"
    options = ("-O1", "-shared", "-fPIC", "-ldl", "-lpthread")
    command: list[str | Path] = [compiler, "-o", library, RECORDER, *options]
    subprocess.run(command, check=True, capture_output=True)
    return library


def operations(record: bytes) -> Iterator[Operation]:
    """Yield what a record holds."""
    at = 0
    while at < len(record):
        kind, length, offset, size = _HEAD.unpack_from(record, at)
        at += _HEAD.size
        name = record[at : at + length].decode()
        at += length
        yield Operation(kind.decode(), name, offset, record[at : at + size])
        at += size


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)


class Disk:
    """Follows the operations of one folder, and makes images of what a cut now could leave."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}  # as a program sees them
        self._synced_names: dict[str, _File] = {}
        self._pending_names: list[tuple[str, _File | None]] = []

    def apply(self, operation: Operation) -> None:
        """Follow an operation."""
        kind, name = operation.kind, operation.name
        if kind == "C":
            self._names[name] = _File()
            self._pending_names.append((name, self._names[name]))
        elif kind == "D":
            self._names.pop(name, None)
            self._pending_names.append((name, None))
        elif kind == "S" and not name:
            self._synced_names = dict(self._names)
            self._pending_names = []
        elif name in self._names:
            file = self._names[name]
            if kind == "S":
                for pending in file.pending:
                    _apply(file.synced, pending)
                file.pending = []
            else:
                file.pending.append(operation)

    def image(self, chance: random.Random) -> dict[str, bytes]:
        """Return one of the contents that the folder may have after a power cut now."""
        names = dict(self._synced_names)
        for name, file in self._pending_names[: chance.randint(0, len(self._pending_names))]:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return {name: _torn(file, chance) for name, file in names.items()}


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "T":
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
    else:
        content.extend(bytes(max(0, operation.offset - len(content))))
        content[operation.offset : operation.offset + len(operation.data)] = operation.data


def _torn(file: _File, chance: random.Random) -> bytes:
    content = bytearray(file.synced)
    for operation in _survivors(file.pending, chance):
        _apply(content, operation)
    return bytes(content)


def _survivors(pending: Sequence[Operation], chance: random.Random) -> list[Operation]:
    how = chance.choice(("all", "none", "some of the first", "any sectors"))
    if how == "all":
        return list(pending)
    if how == "none" or not pending:
        return []
    if how == "some of the first":
        count = chance.randrange(len(pending))
        last = pending[count]
        torn = last.data[: chance.randint(0, len(last.data))]
        return [*pending[:count], *([Operation("W", last.name, last.offset, torn)] if torn else [])]
    survivors = []
    for operation in pending:
        if operation.kind == "T":
            survivors += [operation] if chance.random() < 0.5 else []
        else:
            survivors += [sector for sector in _sectors(operation) if chance.random() < 0.5]
    chance.shuffle(survivors)
    return survivors


def _sectors(operation: Operation) -> Iterator[Operation]:
    start, end = operation.offset, operation.offset + len(operation.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = operation.data[start - operation.offset : stop - operation.offset]
        yield Operation("W", operation.name, start, data)
        start = stop
