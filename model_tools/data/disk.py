"""Files that are there whole or not at all, and a full disk told as what it is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aed_daemon.errors import AedError

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "too large a file",
}


@contextmanager
def told(where: Path) -> Iterator[None]:
    """Turn an error of the system while writing into one that says where, and what to do.

    Raises
    ------
    AedError
        For any OSError inside.
    """
    try:
        yield
    except OSError as error:
        what = _FULL.get(error.errno or 0, f"cannot write ({error.strerror or error})")
        raise AedError(
            what,
            where=str(where),
            hint="Make room, or give another folder; what is complete is kept, and the next run goes on."
            if error.errno in _FULL
            else "Check the folder and its permissions.",
        ) from None


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file under a temporary name beside its own, which it gets when all has been written.

    Whatever goes wrong inside, no half of it is left behind, and what was there before stays.

    Raises
    ------
    AedError
        For a full disk or any other error of writing.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file as `new_file` does."""
    with new_file(path) as file:
        file.write(data)
