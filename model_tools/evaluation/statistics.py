"""How sure a figure is: intervals of shares, rates and areas, and whether two networks differ."""

from __future__ import annotations

from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

_Z95 = 1.959964


def wilson(correct: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if n == 0:
        return 0.0, 1.0
    z, share = _Z95, correct / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))


def poisson_upper95(count: int, hours: float) -> float:
    """Return the one-sided 95 % upper bound of a rate per hour; infinite for no time at all.

    Of events that come independently: the rate at which `count` or fewer in `hours` would be seen in
    5 % of all cases. Zero in N hours bounds at 3.0 / N.

    Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.
    """
    from scipy.stats import chi2

    if count < 0:
        raise ValueError(f"a count is not negative, got {count}")
    return float(chi2.ppf(0.95, 2 * (count + 1))) / 2 / hours if hours > 0 else float("inf")


def most_alarms(rate_per_hour: float, hours: float) -> int:
    """Return the largest count in `hours` whose upper bound is no higher than a rate; -1 if even 0 is not."""
    count = -1
    while poisson_upper95(count + 1, hours) <= rate_per_hour:
        count += 1
    return count


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact probability that two classifiers differ so much by chance alone.

    Parameters
    ----------
    only_first, only_second : int
        Cases that only the one, and only the other, has right.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; exact by the binomial distribution.
    """
    n, least = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    tail = sum(comb(n, i) for i in range(least + 1))
    return min(1.0, 2.0 * tail / float(2**n))


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Return the area under the ROC curve and its 95 % interval.

    The area is the share of pairs in which the positive one scores higher; ties count half.

    Parameters
    ----------
    positive, negative : ndarray, float64 (n,)
        Scores of the two kinds, at least one each.

    Raises
    ------
    ValueError
        If one of them is empty.

    Source: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more
    correlated receiver operating characteristic curves: a nonparametric approach", Biometrics 44, 1988;
    by midranks as X. Sun and W. Xu, IEEE Signal Processing Letters 21(11), 2014.
    """
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    if m == 0 or n == 0:
        raise ValueError("an area needs scores of both kinds")
    joint = rankdata(np.concatenate([positive, negative]))
    above = (joint[:m] - rankdata(positive)) / n
    below = 1.0 - (joint[m:] - rankdata(negative)) / m
    area = float(above.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (above, below) if len(part) > 1)
    half = _Z95 * sqrt(variance)
    return area, (max(0.0, area - half), min(1.0, area + half))


def percentile(values: list[float], share: float) -> float:
    """Return the least value that at least `share` of all reach or stay under; misses may be infinite.

    No interpolation: between a number and infinity there is nothing.
    """
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, int(np.ceil(share * len(ordered))) - 1)]
