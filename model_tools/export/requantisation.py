"""The integer factors by which sums become values of the next layer, as TFLite's reference kernels have them.

A factor is multiplier * 2^-31 * 2^-shift; the product is rounded twice, after each of the two.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Factor(NamedTuple):
    """A positive real number below 1.

    Attributes
    ----------
    multiplier : int
        From 2^30 to 2^31 - 1; smaller only if `shift` could not be larger, 0 if every product is 0.
    shift : int
        To the right, 0 or more.
    """

    multiplier: int
    shift: int


def factor(real: float) -> Factor:
    """Return a real number as TFLite does.

    Raises
    ------
    ValueError
        If it is 1 or more.
    """
    mantissa, exponent = math.frexp(real)
    multiplier = math.floor(mantissa * 2.0**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier, exponent = multiplier // 2, exponent + 1
    if exponent > 0:
        raise ValueError(f"a factor of {real:g}")
    return Factor(0, 0) if exponent < -31 else Factor(multiplier, -exponent)


def scale_factor(entry: float, kernel: float, output: float) -> Factor:
    """Return the factor from a sum's scale, entry * kernel, to the output's; scales are float32."""
    return factor(float(np.float32(entry)) * float(np.float32(kernel)) / float(np.float32(output)))


def mean_factor(entry: float, output: float, count: int) -> Factor:
    """Return the factor of the mean of `count` values; TFLite divides the multiplier, and rounds down."""
    mantissa, exponent = math.frexp(float(np.float32(entry)) / float(np.float32(output)))
    multiplier = math.floor(mantissa * 2.0**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier, exponent = multiplier // 2, exponent + 1
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    if exponent - shift > 0:
        raise ValueError(f"a factor of {entry / output / count:g}")
    return Factor((multiplier << shift) // count, shift - exponent)


def requantised(total: int, by: Factor) -> int:
    """Return the product with a total of 0 or more, rounded twice."""
    high = (total * by.multiplier + (1 << 30)) >> 31
    return (high + ((1 << by.shift) >> 1)) >> by.shift


def first_total(value: int, by: Factor) -> int:
    """Return the smallest total whose product is at least `value`, 1 or more."""
    return -(-_reached(value, by.shift) // by.multiplier)


def with_smaller_shift(by: Factor, most: int, largest: int) -> Factor | None:
    """Return a factor with a shift of at most `most` that gives the same values.

    Parameters
    ----------
    by : Factor
        A channel's.
    most : int
        At least 1.
    largest : int
        The largest total that must be right; values above 255 need not be.

    Returns
    -------
    Factor or None
        None if no multiplier does it.
    """
    if by.shift <= most:
        return by
    low, high = 0, (1 << 31) - 1
    for value in range(1, min(requantised(largest, by), 255) + 1):
        first, wanted = first_total(value, by), _reached(value, most)
        low = max(low, -(-wanted // first))
        high = min(high, (wanted - 1) // (first - 1))
    beyond = min(requantised(largest, by), 255) + 1
    if beyond <= 255:
        high = min(high, (_reached(beyond, most) - 1) // max(largest, 1))
    return Factor(low, most) if low <= high else None


def _reached(value: int, shift: int) -> int:
    """Return the product of total and multiplier that a value begins with; both roundings are half up."""
    return (((value << shift) - ((1 << shift) >> 1)) << 31) - (1 << 30)
