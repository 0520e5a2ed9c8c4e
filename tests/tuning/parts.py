"""Evidence for the tests of tuning."""

from __future__ import annotations

from typing import Any

import numpy as np

from aed_daemon.history.rows import STEPS, Counts
from aed_daemon.tuning.evidence import Evidence

HOUR_S = 3_600.0


def at(*strengths: int) -> Counts:
    """Return one excursion at each of these strengths."""
    return np.bincount(strengths, minlength=STEPS).astype(np.uint32)


def evidence(class_: str = "dog", **changes: Any) -> Evidence:
    """Return ten hours in which nothing came near."""
    plain: dict[str, Any] = {
        "class_": class_, "model_sha256": "0" * 64, "engine": "tflite", "scale": 1 / 256, "on_steps": 128,
        "off_steps": 77, "heard_s": 10 * HOUR_S, "left_out_s": 0.0, "excursions": at(), "right": at(),
        "wrong": at(), "missed": at(),
    }  # fmt: skip
    return Evidence(**{**plain, **changes})
