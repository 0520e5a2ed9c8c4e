"""Gain that follows the level, as recorders, phones and cheap microphones apply it; and overdrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

BLOCK_S = 0.0025
"""Level and gain are computed once per so many seconds; the gain runs in straight lines between."""

_SILENT_DBFS = -120.0


def block_dbfs(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Return the RMS level in dBFS of each block, float64 (blocks,), at least -120; the last may be short."""
    size = max(1, round(BLOCK_S * rate_hz))
    padded = np.zeros(-(-len(samples) // size) * size, np.float32)
    padded[: len(samples)] = samples
    square = np.mean(padded.reshape(-1, size) ** 2, axis=1, dtype=np.float64)
    return np.asarray(10.0 * np.log10(square + 10.0 ** (_SILENT_DBFS / 10.0)))


def follow(levels_db: NDArray[np.float64], rise_s: float, fall_s: float) -> NDArray[np.float64]:
    """Return levels smoothed with one time constant upward and another downward, float64 (blocks,).

    Source: U. Zölzer, DAFX, section 4.2 (one-pole peak detector), in dB and on blocks.
    """
    up = float(1.0 - np.exp(-BLOCK_S / rise_s))
    down = float(1.0 - np.exp(-BLOCK_S / fall_s))
    out, state = [], float(levels_db[0]) if len(levels_db) else 0.0
    for level in levels_db.tolist():
        state += (up if level > state else down) * (level - state)
        out.append(state)
    return np.array(out)


def apply_gain(samples: Samples, rate_hz: int, gains_db: NDArray[np.float64]) -> Samples:
    """Return the samples times one gain in dB per block, in straight lines between the blocks' centres."""
    size = max(1, round(BLOCK_S * rate_hz))
    centres = (np.arange(len(gains_db)) + 0.5) * size
    gain = np.interp(np.arange(len(samples)), centres, 10.0 ** (gains_db / 20.0))
    return np.asarray(samples * gain, np.float32)


def compress(
    samples: Samples,
    rate_hz: int,
    *,
    threshold_dbfs: float,
    ratio: float,
    attack_s: float = 0.005,
    release_s: float = 0.1,
    makeup_db: float = 0.0,
) -> Samples:
    """Return the sound with less difference between loud and quiet.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    threshold_dbfs : float
        RMS level above which the gain falls.
    ratio : float
        Decibels of input for one decibel of output above the threshold.
    attack_s, release_s : float
        Time constants of the level as it rises and as it falls.
    makeup_db : float
        Gain for everything.

    Returns
    -------
    ndarray, float32 (n,)
        Not clipped: what comes out may exceed full scale.
    """
    if not len(samples):
        return samples.copy()
    level = follow(block_dbfs(samples, rate_hz), attack_s, release_s)
    over = np.maximum(level - threshold_dbfs, 0.0)
    return apply_gain(samples, rate_hz, makeup_db - over * (1.0 - 1.0 / ratio))


def automatic_gain(
    samples: Samples,
    rate_hz: int,
    *,
    target_dbfs: float = -20.0,
    highest_db: float = 30.0,
    attack_s: float = 0.05,
    release_s: float = 2.0,
) -> Samples:
    """Return the sound with its level brought to a target, slowly; the noise between sounds comes up.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    target_dbfs : float
        RMS level to be reached.
    highest_db : float
        Largest gain; it is what silence gets after a while. The least is minus this.
    attack_s, release_s : float
        Time constants of the level as it rises (gain down) and as it falls (gain up).

    Returns
    -------
    ndarray, float32 (n,)
        Not clipped: the beginning of a sound may exceed full scale.
    """
    if not len(samples):
        return samples.copy()
    level = follow(block_dbfs(samples, rate_hz), attack_s, release_s)
    return apply_gain(samples, rate_hz, np.clip(target_dbfs - level, -highest_db, highest_db))


def overdrive(samples: Samples, over_db: float, *, soft: bool = False) -> Samples:
    """Return the sound with its peak driven `over_db` above full scale and limited there.

    Hard: cut off at full scale. Soft: tanh, so that it bends before. Silence stays silence.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak <= 0.0:
        return samples.copy()
    driven = samples * np.float32(10.0 ** (over_db / 20.0) / peak)
    return np.asarray(np.tanh(driven) if soft else np.clip(driven, -1.0, 1.0), np.float32)
