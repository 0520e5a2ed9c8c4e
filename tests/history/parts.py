"""What the history's tests share: files with something in them, and companions outside a daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.companions import Surroundings
from aed_daemon.config import Config, DetectionConfig
from aed_daemon.events import Event, iso_utc, new_ulid
from aed_daemon.history.companion import History
from aed_daemon.history.file import open_file
from aed_daemon.history.ledger import Batch, Ledger
from aed_daemon.history.rows import STEPS, Hour, Sound
from aed_daemon.inference import load_classifier
from tests.sinks.parts import draft

CLASSIFIER = load_classifier(None, "tflite")
START_TS = 1_795_396_461.48


def event(at_s: float = 0.0, **changes: Any) -> Event:
    """Return the start of a sound, so many seconds after the first."""
    ts = round(START_TS + at_s, 3)
    times = {"start": iso_utc(ts), "start_ts": ts, "id": new_ulid(ts), "start_sample": round(at_s * 16_000)}
    return draft(**{**times, **changes})


def end_of(start: Event, duration_s: float = 1.5, **changes: Any) -> Event:
    """Return the end of a sound."""
    over = {
        "type": "end",
        "seq": start.seq + 1,
        "duration_s": duration_s,
        "end": iso_utc(start.start_ts + duration_s),
        "end_sample": start.start_sample + round(duration_s * 16_000),
    }
    return start.model_copy(update={**over, **changes})


def near_miss(at_s: float = 0.0, **changes: Any) -> Sound:
    """Return a score that came near, so many seconds after the first."""
    ts = round(START_TS + at_s, 3)
    values: dict[str, Any] = {
        "id": new_ulid(ts), "kind": "near_miss", "node": "hall-3f2a", "source": "porch", "class_": "dog",
        "start_ts": ts, "end_ts": ts + 1.0, "duration_s": 1.0, "score_max": 0.42, "strength": 0.41,
        "model_sha256": "0" * 64, "engine": "litert",
    }  # fmt: skip
    return Sound(**{**values, **changes})


def hour(**changes: Any) -> Hour:
    """Return an hour of the porch's dog in which nothing was heard."""
    values: dict[str, Any] = {
        "hour_ts": 1_795_395_600, "source": "porch", "class_": "dog", "model_sha256": "0" * 64,
        "engine": "litert", "rule": '{"off_steps":77}', "on_steps": 128, "scale": 1 / 256, "heard_s": 3_600.0,
        "hops": 15_000, "scores": np.zeros(STEPS, np.uint32), "strengths": np.zeros(STEPS, np.uint32),
    }  # fmt: skip
    return Hour(**{**values, **changes})


@contextmanager
def ledger(path: Path) -> Iterator[Ledger]:
    """Open a history to write in."""
    found = Ledger(open_file(path), path)
    try:
        yield found
    finally:
        found.close()


def written(path: Path, **rows: Any) -> Path:
    """Write rows as one batch."""
    with ledger(path) as found:
        found.write(Batch(**rows))
    return path


@contextmanager
def history(
    path: Path, detection: Callable[[str], DetectionConfig] | None = None, **config: Any
) -> Iterator[History]:
    """Run a companion by itself; `detection` returns what holds for a source."""
    made = Config.model_validate({"source": [{"type": "demo", "name": "porch"}], "history": config})
    around = Surroundings(
        made,
        CLASSIFIER,
        None,
        lambda: pytest.fail("not asked"),
        dict,
        detection or (lambda _: made.detection),
    )
    found = History(around, path, lambda: START_TS + 3_600.0)
    found.start()
    try:
        yield found
    finally:
        found.close(20.0)
