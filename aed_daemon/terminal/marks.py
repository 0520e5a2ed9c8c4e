"""Marks: moments at which the user heard what the daemon missed, kept as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

from aed_daemon.errors import ConfigError
from aed_daemon.terminal.scene import Scene


class Marks:
    """Takes marks, and appends them to a file if there is one.

    Parameters
    ----------
    path : Path or None
        The file; each mark is on disk when `add` returns.

    Attributes
    ----------
    taken : list of dict
        All of this run.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.taken: list[dict[str, object]] = []
        if path is not None:
            try:
                path.open("a", encoding="utf-8").close()
            except OSError as error:
                raise ConfigError(
                    "the file for marks cannot be written",
                    where=str(path),
                    got=error.strerror or str(error),
                    hint="Name another with --marks.",
                ) from None

    def add(self, scene: Scene, source: str) -> None:
        """Mark this moment of a source; a file that cannot be written is told, and nothing is lost."""
        mark = scene.mark(source)
        self.taken.append(mark)
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(mark, ensure_ascii=False) + "\n")
        except OSError as error:
            scene.note(source, f"the mark is not in {self._path.name}: {error.strerror}")
