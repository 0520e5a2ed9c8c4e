"""Where the daemon keeps what must survive a restart, and small JSON files in there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog

from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

_Content = TypeVar("_Content")

MAX_BYTES = 1 << 22
"""No such file is longer."""


def state_folder(env: Mapping[str, str]) -> Path:
    """Return systemd's STATE_DIRECTORY, else aed in $XDG_STATE_HOME (~/.local/state where that is unset)."""
    if env.get("STATE_DIRECTORY"):
        return Path(env["STATE_DIRECTORY"].split(":")[0]).absolute()
    home = env.get("XDG_STATE_HOME") or str(Path(env.get("HOME") or "/root", ".local", "state"))
    return Path(home, "aed").absolute()


class StateFile:
    """A small JSON file: whole or not there, readable for its owner alone.

    Parameters
    ----------
    path : Path or None
        Where it is; None: nothing is kept.

    Attributes
    ----------
    problem : str or None
        What was wrong with the file that `read` set aside.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._quiet = OncePer()
        self.problem: str | None = None

    def read(self, check: Callable[[Any], _Content]) -> _Content | None:
        """Return what `check` makes of the content; None where there is none.

        A file that cannot be read, or for which `check` raises ValueError, is renamed to
        NAME.unreadable, so that it is neither used nor lost.
        """
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ValueError("longer than 4 MiB")
            return check(json.loads(content))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self._set_aside(error)
            return None

    def write(self, content: Any) -> bool:
        """Replace the content; False, and a message in the log, where that fails. True without a path."""
        if self._path is None:
            return True
        partial = self._path.with_name(f"{self._path.name}.partial")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name survives a power cut, too
            finally:
                os.close(folder)
        except OSError as error:
            if (held := self._quiet.due("write")) is not None:
                _log.error(
                    "state_not_kept",
                    file=str(self._path),
                    error=str(error),
                    not_shown=held,
                    hint="It holds until the daemon ends. Check the folder's owner and the disk's space.",
                )
            return False
        return True

    def _set_aside(self, error: Exception) -> None:
        path = self._path
        if path is None:
            return
        aside = path.with_name(f"{path.name}.unreadable")
        why = (str(error) or type(error).__name__).splitlines()[0]
        self.problem = f"{path}: {why}; set aside as {aside.name}"
        with contextlib.suppress(OSError):  # it is not used in either case
            path.replace(aside)
