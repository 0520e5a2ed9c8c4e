"""Tables of the last layer: TFLite's reference softmax and logistic in integers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DIGITS = 26
"""Of the exponent after the point; five before it."""

_QUARTER = 1 << 24
_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-1/4), exp(-1/2), exp(-1) .. exp(-16) in 2^-31."""

_FELT = 1 << 11
"""Smaller exponentials change neither the sum, which has 19 digits after the point, nor a score."""


class Exponent(NamedTuple):
    """How steps of the logits become an exponent in 2^-26: steps * 2^shift * multiplier / 2^31.

    Attributes
    ----------
    multiplier, shift : int
        Of the scale.
    most : int
        Steps; the exponential of more is taken for 0.
    """

    multiplier: int
    shift: int
    most: int


def exponent(scale: float) -> Exponent:
    """Return the exponent that TFLite's reference softmax takes for a scale."""
    real = min(float(np.float32(scale)) * (1 << _DIGITS), 2.0**31 - 1.0)
    mantissa, shift = math.frexp(real)
    most = math.floor(31 * 2.0**_DIGITS / 2.0**shift)
    return Exponent(math.floor(mantissa * 2.0**31 + 0.5), shift, min(most, 255))


def exponentials(scale: float) -> NDArray[np.int32]:
    """Return exp(-i * scale), int32 in 2^-31, i = 0 .. 255, as far as it counts.

    Source: the fixed-point exponential of gemmlowp that TFLite's reference softmax uses.
    """
    by = exponent(scale)
    values = []
    for steps in range(by.most + 1):
        value = _exponential(_high(-steps << by.shift, by.multiplier))
        if value < _FELT:
            break
        values.append(value)
    return np.array(values, np.int32)


def logistic(scale: float, zero_point: int) -> NDArray[np.int8]:
    """Return the score of every logit from -128 on, int8 (256,): 1 / (1 + exp(-x)) in 1/256, from -128."""
    logits = (np.arange(-128, 128) - zero_point) * np.float64(np.float32(scale))
    scores = np.rint(256.0 / (1.0 + np.exp(-logits))) - 128
    return np.asarray(np.clip(scores, -128, 127), np.int8)


def _exponential(x: int) -> int:
    """Return exp(x) in 2^-31, x at most 0 in 2^-26."""
    if x == 0:
        return (1 << 31) - 1
    part = (x & (_QUARTER - 1)) - _QUARTER  # in [-1/4, 0)
    t = (part << 5) + (1 << 28)
    t2 = _high(t, t)
    t3, t4 = _high(t2, t), _high(t2, t2)
    series = _halved(_high(_halved(t4, 2) + t3, 715827883) + t2, 1)  # t^2 / 2 + t^3 / 6 + t^4 / 24
    result = 1895147668 + _high(1895147668, t + series)  # exp(-1/8) of them
    for bit, step in enumerate(_FACTORS):
        if (part - x) & (_QUARTER << bit):
            result = _high(result, step)
    return result


def _high(a: int, b: int) -> int:
    """Return a * b / 2^31, halves towards plus infinity."""
    return (a * b + (1 << 30)) >> 31


def _halved(value: int, times: int) -> int:
    """Return value / 2^times, halves away from 0."""
    rounded = (abs(value) + (1 << times >> 1)) >> times
    return rounded if value >= 0 else -rounded
