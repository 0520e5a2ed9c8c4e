"""Poisson limits, against the tables and SciPy."""

from __future__ import annotations

import pytest
from scipy import stats

from aed_daemon.tuning.poisson import at_most, count_to_promise, lower, upper


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20, 300])
def test_limits_are_garwoods(count: int) -> None:
    assert upper(count) == pytest.approx(stats.chi2.ppf(0.95, 2 * count + 2) / 2, rel=1e-9)
    assert lower(count) == pytest.approx(stats.chi2.ppf(0.05, 2 * count) / 2 if count else 0.0, rel=1e-9)


@pytest.mark.parametrize(("count", "mean"), [(0, 0.0), (0, 3.0), (7, 5.5), (900, 1_000.0)])
def test_the_distribution_is_poissons(count: int, mean: float) -> None:
    assert at_most(count, mean) == pytest.approx(stats.poisson.cdf(count, mean), rel=1e-9)


def test_a_promise_needs_some_events() -> None:
    assert count_to_promise() == 6
    assert upper(6) <= 12
    assert upper(5) > 10
    assert count_to_promise(factor=1.2) > 60
