"""What converters and links do to numbers: few bits, an offset, frames that never arrive."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_S = 0.02
"""A packet of every speech codec here but G.723.1."""


def quantise(samples: Samples, bits: int, rng: np.random.Generator | None = None) -> Samples:
    """Return the samples rounded to `bits` bits, clipped at full scale; with a generator, dithered before.

    Source: S. P. Lipshitz, R. A. Wannamaker, J. Vanderkooy, "Quantization and dither", 1992: triangular
    dither of +-1 step makes the error's mean and power independent of the sound.
    """
    scale = float(2 ** (bits - 1))
    steps = np.asarray(samples, np.float64) * scale
    if rng is not None:
        steps = steps + rng.random(len(samples)) - rng.random(len(samples))
    return np.asarray(np.clip(np.rint(steps), -scale, scale - 1.0) / scale, np.float32)


def offset(samples: Samples, amount: float) -> Samples:
    """Return the samples with a constant added, clipped at full scale."""
    return np.clip(samples + np.float32(amount), np.float32(-1.0), np.float32(1.0))


def lost_frames(rng: np.random.Generator, count: int, share: float, burst: float) -> NDArray[np.bool_]:
    """Return which frames are lost, bool (count,): a share of them, `burst` in a row on average.

    Source: E. N. Gilbert, "Capacity of a burst-noise channel", 1960: two states, here loss in one of
    them always and in the other never.
    """
    leave = 1.0 / burst
    enter = share * leave / (1.0 - share)
    dice = rng.random(count).tolist()
    out, lost = [], bool(rng.random() < share)
    for value in dice:
        out.append(lost)
        lost = value >= leave if lost else value < enter
    return np.array(out, bool)


def drop_frames(
    samples: Samples, rate_hz: int, lost: NDArray[np.bool_], conceal: Literal["zero", "repeat"]
) -> Samples:
    """Return the sound without the frames of 20 ms that are lost.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    lost : ndarray, bool (frames,)
        Which frames never arrive, at least n / 20 ms of them.
    conceal : str
        "zero": silence. "repeat": the last frame that did arrive, 6 dB quieter each time.
    """
    size = round(FRAME_S * rate_hz)
    out = samples.copy()
    for frame in np.flatnonzero(lost[: -(-len(samples) // size)]):
        part = out[frame * size : (frame + 1) * size]
        if conceal == "repeat" and frame > 0:
            part[:] = np.float32(0.5) * out[(frame - 1) * size : frame * size][: len(part)]
        else:
            part[:] = 0.0
    return out
