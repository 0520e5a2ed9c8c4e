"""Rules and levels for the tests of the trackers."""

from __future__ import annotations

from typing import Any

import numpy as np

from aed_daemon.level import LevelFrames
from aed_daemon.rules import ClassRule

PATCH = 97
HOP = 24


def rule(**changes: Any) -> ClassRule:
    """Return a plain rule: on at 150 steps, off under 90."""
    plain: dict[str, Any] = {
        "slug": "dog", "label": "Dog", "index": 0, "on_steps": 150, "off_steps": 90, "smoothing_hops": 1,
        "confirm_hops": 1, "min_duration_frames": 0, "cooldown_frames": 0, "end_after_frames": 100,
    }  # fmt: skip
    return ClassRule(**{**plain, **changes})


def frames(rms_cdb: list[int] | np.ndarray[Any, Any], clipped: bool = False) -> LevelFrames:
    """Return level frames whose peaks lie 10 dB over their RMS."""
    rms = np.asarray(rms_cdb, np.int32)
    return LevelFrames(rms, rms + 1_000, np.full(len(rms), clipped))
