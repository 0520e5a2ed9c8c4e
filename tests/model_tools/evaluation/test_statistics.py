from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_tools.evaluation.statistics import auroc, mcnemar, most_alarms, percentile, poisson_upper95, wilson


def test_wilson_interval() -> None:
    # Values of R's prop.test without continuity correction.
    assert wilson(90, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_poisson_bounds_of_the_design_notes() -> None:
    # accuracy.md: one alarm in 10 h may be claimed as 0.5 per hour, five bound at 1.05.
    assert poisson_upper95(1, 10.0) == pytest.approx(0.474, abs=1e-3)
    assert poisson_upper95(5, 10.0) == pytest.approx(1.051, abs=1e-3)
    assert poisson_upper95(0, 1.0) == pytest.approx(-np.log(0.05))
    assert poisson_upper95(0, 0.0) == float("inf")


@given(count=st.integers(0, 40), hours=st.floats(0.1, 100.0))
def test_at_the_poisson_bound_so_few_are_seen_in_one_case_of_twenty(count: int, hours: float) -> None:
    mean = poisson_upper95(count, hours) * hours
    terms = np.cumsum(np.log(np.maximum(1, np.arange(count + 1))))
    chance = np.exp(np.arange(count + 1) * np.log(mean) - mean - terms).sum()
    assert chance == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("hours", "most"), [(5.9, -1), (6.0, 0), (9.4, 0), (10.0, 1), (30.0, 8)])
def test_how_many_alarms_a_budget_allows(hours: float, most: int) -> None:
    assert most_alarms(0.5, hours) == most


def test_mcnemar() -> None:
    # Values of R's binom.test.
    assert mcnemar(10, 2) == pytest.approx(0.03857, abs=1e-5)
    assert mcnemar(2, 10) == mcnemar(10, 2)
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(0, 0) == 1.0


@given(
    positive=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    negative=st.lists(st.integers(0, 6), min_size=1, max_size=12),
)
def test_the_area_is_the_share_of_ordered_pairs(positive: list[int], negative: list[int]) -> None:
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    area, (low, high) = auroc(np.array(positive, float), np.array(negative, float))
    assert area == pytest.approx(np.mean(pairs))
    assert 0.0 <= low <= area <= high <= 1.0


def test_the_interval_of_the_area_holds_in_nineteen_cases_of_twenty() -> None:
    rng = np.random.default_rng(0)
    true_area = 0.7602499  # of two normal distributions one apart: the normal distribution at 1 / sqrt(2)
    held = 0
    for _ in range(400):
        _, (low, high) = auroc(rng.normal(1.0, 1.0, 60), rng.normal(0.0, 1.0, 80))
        held += low <= true_area <= high
    assert 0.92 <= held / 400 <= 0.98


def test_an_area_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        auroc(np.array([]), np.array([1.0]))


def test_a_percentile_is_never_between_a_number_and_infinity() -> None:
    values = [1.0] * 18 + [float("inf")] * 2
    assert percentile(values, 0.5) == 1.0
    assert percentile(values, 0.9) == 1.0
    assert percentile(values, 0.95) == float("inf")
    assert np.isnan(percentile([], 0.5))
