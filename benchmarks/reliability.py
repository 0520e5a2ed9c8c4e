"""benchmarks/reliability.json: what was tried to make the daemon lose something, and what it lost.

Each test writes its own key and leaves those of the others as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import record

RELIABILITY = Path(__file__).with_name("reliability.json")


def merge(
    name: str, figures: Any, details: Mapping[str, Any] | None = None, path: Path = RELIABILITY
) -> dict[str, Any]:
    """Put one test's figures in place of its last ones, with the occasion; return the whole record.

    Parameters
    ----------
    name : str
        The key: `chaos`, `power_loss`, `soak`, `home_assistant`, `microphone`, `fuzz`, ...
    figures : dict or number
        What readers rely on.
    details : mapping, optional
        What else is worth keeping, under `details`.
    path : Path
        The file.
    """
    found = record.read(path)
    kept = {key: value for key, value in found.items() if key not in ("schema", "details")}
    told = {**found.get("details", {}), name: {**record.occasion(os.getloadavg()[0]), **(details or {})}}
    merged: dict[str, Any] = record.finite(
        {
            "schema": record.SCHEMA_VERSION,
            **dict(sorted({**kept, name: figures}.items())),
            "details": dict(sorted(told.items())),
        }
    )
    record.write(merged, path)
    return merged
