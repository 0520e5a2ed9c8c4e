"""Sampling at another rate and back, by good filters and by bad ones."""

from __future__ import annotations

from math import gcd
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.resample import Resampler

Samples = NDArray[np.float32]
Filter = Literal["sharp", "short", "linear"]


def fit(samples: NDArray[np.floating[Any]], n: int) -> Samples:
    """Return the first n samples, float32 (n,), followed by zeros where there are fewer."""
    out = np.zeros(n, np.float32)
    out[: min(n, len(samples))] = samples[:n]
    return out


def convert(samples: Samples, rate_in_hz: int, rate_out_hz: int) -> Samples:
    """Return the sound at another rate, float32 (ceil(n * out / in),), by the daemon's own filter.

    Raises
    ------
    AudioError
        For a pair of rates that only a huge filter would convert.
    """
    resampler = Resampler(rate_in_hz, rate_out_hz)
    return np.concatenate([resampler.push(np.asarray(samples, np.float32)), resampler.flush()])


def sampled_at(samples: Samples, rate_hz: int, through_hz: int, kind: Filter = "sharp") -> Samples:
    """Return what is left of a sound that was sampled at a lower rate and brought back.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    rate_hz : int
        Its rate, and that of the result.
    through_hz : int
        The rate in between.
    kind : str
        "sharp": the daemon's filter both ways, flat to 0.45 of the rate, 90 dB down at half of it.
        "short": a filter of three zero crossings to each side, so that there is some aliasing and
        some image above half the rate, as in a cheap converter. "linear": straight lines both ways.

    Returns
    -------
    ndarray, float32 (n,)
        Aligned with the input.
    """
    if not len(samples):
        return samples.copy()
    if kind == "sharp":
        return fit(convert(convert(samples, rate_hz, through_hz), through_hz, rate_hz), len(samples))
    if kind == "linear":
        at = np.arange(len(samples)) / rate_hz
        coarse_at = np.arange(int(len(samples) * through_hz / rate_hz) + 1) / through_hz
        coarse = np.interp(coarse_at, at, samples)
        return np.asarray(np.interp(at, coarse_at, coarse), np.float32)
    from scipy.signal import firwin, resample_poly

    divisor = gcd(rate_hz, through_hz)
    high, low = rate_hz // divisor, through_hz // divisor
    taps = firwin(6 * max(high, low) + 1, 1.0 / max(high, low), window=("kaiser", 3.0)).astype(np.float32)
    coarse = resample_poly(samples, low, high, window=taps)
    return fit(resample_poly(coarse, high, low, window=taps), len(samples))
