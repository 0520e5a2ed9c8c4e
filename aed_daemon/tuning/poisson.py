"""How far a count tells of a rate: Poisson limits without SciPy."""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

CONFIDENCE = 0.95

FACTOR = 2.0
"""A promise holds where the true rate can hardly be more than so many times the wanted one."""


def at_most(count: int, mean: float) -> float:
    """Return the probability of `count` or fewer where `mean` are expected."""
    if mean <= 0:
        return 1.0
    return min(1.0, sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1)))


def upper(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the mean that a count leaves possible at most, one-sided.

    Source: Garwood 1936, Fiducial limits for the Poisson distribution.
    """
    low, high = float(count), count + 10.0 * sqrt(count + 1.0) + 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(count, middle) > 1 - confidence else (low, middle)
    return high


def lower(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the mean that a count leaves possible at least, one-sided; 0 of nothing."""
    if count == 0:
        return 0.0
    low, high = 0.0, float(count)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - at_most(count - 1, middle) < 1 - confidence else (low, middle)
    return low


def count_to_promise(factor: float = FACTOR, confidence: float = CONFIDENCE) -> int:
    """Return the least count whose upper limit is no more than `factor` times the count."""
    count = 1
    while upper(count, confidence) > factor * count:
        count += 1
    return count
