"""The DC blocker of the C, in integers: the daemon's own to within 2^-15 of a step of 16 bits."""

from __future__ import annotations

from math import exp, pi

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.condition import DC_BLOCK_HZ

_MEAN_BITS, _SHARE_BITS = 47, 38
SAMPLE_BITS = 15
"""Behind the point of what comes out, as in `aed_sample.h`."""


def share(rate_hz: int, cutoff_hz: float = DC_BLOCK_HZ) -> int:
    """Return how far the mean goes towards each sample, in 2^-38."""
    return round((1.0 - exp(-2.0 * pi * cutoff_hz / rate_hz)) * 2.0**_SHARE_BITS)


class FixedDcBlocker:
    """Samples in, samples without their slow mean out, bit by bit those of `aed_dc.c`; it can be copied."""

    def __init__(self, rate_hz: int) -> None:
        self._share = share(rate_hz)
        self._mean: int | None = None

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int32]:
        """Take the next samples, int16 (n,); return as many, int32, in 2^-15 of a step."""
        drop = _MEAN_BITS - SAMPLE_BITS
        half = 1 << (drop - 1)
        rest = []
        mean = self._mean
        for sample in samples.tolist():
            here = sample << _MEAN_BITS
            mean = here if mean is None else mean
            mean += (here - mean) * self._share >> _SHARE_BITS
            rest.append((here - mean + half) >> drop)
        self._mean = mean
        return np.array(rest, np.int32)


def as_floats(samples: NDArray[np.int32], full_scale: float) -> NDArray[np.float32]:
    """Return such samples as the daemon has them, float32 (n,)."""
    return (samples * (full_scale / (1 << (15 + SAMPLE_BITS)))).astype(np.float32)
