"""benchmarks/reliability.json: what long and hostile runs found, each part by whatever measured it last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import record

RELIABILITY = Path(__file__).with_name("reliability.json")


def read(path: Path = RELIABILITY) -> dict[str, Any]:
    """Return the record; empty where there is none."""
    return record.read(path)


def update(
    figures: Mapping[str, Any], path: Path = RELIABILITY, details: Mapping[str, Any] | None = None
) -> None:
    """Put figures into the record, whole or not at all; keys that are not named keep what they have.

    Parameters
    ----------
    figures : mapping
        By part and name: {"fuzz": {"config": 100000}}.
    path : Path
        The record.
    details : mapping, optional
        What else is worth keeping of this occasion; it goes under `details`, by part.
    """
    occasion = {**record.occasion(os.getloadavg()[0]), **(details or {})}
    found = {"schema": record.SCHEMA_VERSION, **read(path)}
    told = {"details": dict.fromkeys(figures, occasion)}
    record.write(dict(sorted(_merged(_merged(found, figures), told).items())), path)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
