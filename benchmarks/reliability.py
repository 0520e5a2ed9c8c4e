"""benchmarks/reliability.json: what long and hostile runs found, each part by whatever measured it last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RELIABILITY = Path(__file__).with_name("reliability.json")


def read(path: Path = RELIABILITY) -> dict[str, Any]:
    """Return the record; empty where there is none."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def update(figures: Mapping[str, Any], path: Path = RELIABILITY) -> None:
    """Put figures into the record, whole or not at all; keys that are not named keep what they have.

    Parameters
    ----------
    figures : mapping
        By part and name: {"fuzz": {"config": 100000}}.
    path : Path
        The record.
    """
    text = json.dumps(_merged(read(path), figures), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
