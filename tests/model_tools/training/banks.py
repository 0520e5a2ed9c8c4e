"""Small banks in memory, for the tests of what is cut from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training.bank import CLEAN, Segment, Segments, segment

RATE = SPEC.sample_rate_hz


def bark(at_s: float, length_s: float, total_s: float = 5.0, seed: int = 0) -> NDArray[np.float32]:
    """Return a burst of noise in digital silence, as ESC-10 pads its clips."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(total_s * RATE), np.float32)
    start, n = int(at_s * RATE), int(length_s * RATE)
    out[start : start + n] = 0.3 * rng.standard_normal(n)
    return out


def bank_of(*parts: tuple[int, Segment]) -> Segments:
    """Return the bank of segments, each with the index of its clip."""
    length = np.array([len(part.frames) for _, part in parts], np.int64)
    return Segments(
        np.concatenate([part.frames for _, part in parts]),
        np.concatenate([part.level for _, part in parts]),
        np.concatenate([part.active for _, part in parts]),
        np.concatenate([[0], np.cumsum(length)[:-1]]),
        length,
        np.array([clip for clip, _ in parts], np.int32),
        np.array([part.kind for _, part in parts], np.int8),
    )


def as_recorded(samples: NDArray[np.float32], kind: int = CLEAN) -> Segment:
    """Return the segment of a recording that went through no channel."""
    return segment(samples, samples, kind, SPEC)
