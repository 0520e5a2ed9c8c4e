"""A folder that is written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aed_daemon.errors import AedError

MARK = "report.json"
"""What every export holds: nothing else is ever replaced."""


@contextmanager
def whole(out: Path, *, force: bool) -> Iterator[Path]:
    """Give a new folder beside `out`, which takes its place where nothing has failed.

    Parameters
    ----------
    force : bool
        Replace an export that is there.

    Raises
    ------
    AedError
        If `out` exists and is not to be replaced, or is no export.
    """
    check_free(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        made.chmod(0o755)
        yield made
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
            out.replace(old)
            made.replace(out)
            shutil.rmtree(old)
        else:
            made.replace(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def check_free(out: Path, *, force: bool) -> None:
    """Refuse a place that is taken; AedError."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise AedError("not a folder", where=str(out), expected="a folder that does not exist yet")
    if any(out.iterdir()) and not (out / MARK).is_file():
        raise AedError(
            "the folder holds something else", where=str(out), expected="a new folder, or an export"
        )
    if not force:
        raise AedError(
            "the folder exists", where=str(out), hint="Give another one, or --force to replace it."
        )


def write(folder: Path, name: str, content: str | bytes) -> None:
    """Write a file below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
