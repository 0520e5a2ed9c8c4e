"""benchmarks/results.json: the figures of the last run of each benchmark, and the machine they are of."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.outcome import Outcome

RESULTS = Path(__file__).with_name("results.json")
SCHEMA_VERSION = 1

_PACKAGES = (
    "ai-edge-litert", "librosa", "numpy", "paho-mqtt", "pydantic", "scipy", "sounddevice", "soundfile",
    "soxr", "tflite-runtime",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Return what the figures depend on; neither the host's name nor a path."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "architecture": platform.machine(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return named[0] if named else platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    """Return what was measured; records that were written by a measurement before change nothing of it."""
    commit = _git("rev-parse", "--short=12", "HEAD").strip()
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/*.json"
    )
    return f"{commit}-dirty" if commit and changed.strip() else commit or "unknown"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True
    ).stdout


def occasion(load: float) -> dict[str, Any]:
    """Return when and in what state something was measured; `load` is the load average before it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"date": now, "commit": _commit(), "load_before": round(load, 2)}


def merged(
    record: Mapping[str, Any], name: str, outcome: Outcome, here: Mapping[str, Any], when: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the record with one benchmark's findings in place of its last ones.

    A record of another machine is dropped: figures of two machines must not stand side by side.

    Parameters
    ----------
    record : mapping
        The file so far; empty at first.
    name : str
        The benchmark.
    outcome : Outcome
        What it found.
    here, when : mapping
        `machine` and `occasion`.
    """
    kept = dict(record) if record.get("machine") == here else {}
    details = dict(kept.pop("details", {}))
    details[name] = {**when, **outcome.details}
    kept |= {"schema": SCHEMA_VERSION, "machine": dict(here), **outcome.figures}
    ordered = {key: kept[key] for key in sorted(kept, key=lambda key: (key == "machine", key))}
    plain: dict[str, Any] = finite(ordered | {"details": dict(sorted(details.items()))})
    return plain


def finite(value: Any) -> Any:
    """Return JSON data with null for what is infinite or no number: JSON has neither."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path = RESULTS) -> dict[str, Any]:
    """Return the record; empty where there is none."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(record: Mapping[str, Any], path: Path = RESULTS) -> None:
    """Write the record, whole or not at all."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
