"""Integer factors: TFLite's two roundings, and what the kernels in assembly make of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_tools.export.requantisation import (
    Factor,
    factor,
    first_total,
    mean_factor,
    requantised,
    scale_factor,
    with_smaller_shift,
)

factors = st.builds(Factor, st.integers(1 << 30, (1 << 31) - 1), st.integers(0, 31))
totals = st.integers(0, (1 << 31) - 1)


def two_roundings(total: int, by: Factor) -> int:
    """Return the product as TFLite's documentation of its kernels has it, step by step."""
    high = math.floor(total * by.multiplier / (1 << 31) + 0.5) if total < 1 << 20 else None
    high = (2 * total * by.multiplier + (1 << 31)) // (1 << 32) if high is None else high
    quotient, rest = divmod(high, 1 << by.shift)
    return quotient + (2 * rest >= 1 << by.shift) if by.shift else quotient


def in_assembly(total: int, by: Factor, left: int) -> int:
    """Return the value that the kernels in assembly give, which shift sums to the left first."""
    right = by.shift + left - 1
    half = (1 << (right - 1)) + (1 << (left - 2))
    return (((total << left) * by.multiplier >> 32) + half) >> right


@given(factors, totals)
def test_products_are_rounded_twice(by: Factor, total: int) -> None:
    assert requantised(total, by) == two_roundings(total, by)


@given(factors, st.integers(1, 255))
def test_a_value_begins_with_its_first_total(by: Factor, value: int) -> None:
    first = first_total(value, by)
    assert requantised(first, by) >= value
    assert requantised(first - 1, by) < value


@given(factors, totals, st.integers(2, 16))
def test_assembly_rounds_like_that(by: Factor, total: int, left: int) -> None:
    if by.shift == 0:
        return
    for near in (total, *(first_total(v, by) + d for v in (1, 2, 127, 255) for d in (-1, 0))):
        assert in_assembly(near, by, left) == requantised(near, by)


@given(factors, st.integers(1, 22), st.integers(0, 1 << 24))
def test_a_smaller_shift_gives_the_same_values(by: Factor, most: int, largest: int) -> None:
    smaller = with_smaller_shift(by, most, largest)
    if smaller is None:
        assert by.shift > most
        return
    assert smaller.shift <= most
    reached = min(requantised(largest, by), 255)
    edges = [first_total(value, by) for value in range(1, reached + 1)]
    for total in {0, largest, *edges, *(edge - 1 for edge in edges)}:
        if total <= largest:
            assert min(requantised(total, smaller), 255) == min(requantised(total, by), 255)


def test_a_channel_that_never_counts_gets_a_factor_of_0() -> None:
    assert with_smaller_shift(Factor(1 << 30, 31), 12, 1 << 20) == Factor(0, 12)


@given(st.floats(2.0**-31, 1.0, exclude_max=True))
def test_a_factor_is_as_close_as_its_digits_allow(real: float) -> None:
    if real >= 1 - 2.0**-33:
        return
    by = factor(real)
    assert 1 << 30 <= by.multiplier < 1 << 31
    assert by.multiplier * 2.0 ** (-31 - by.shift) == pytest.approx(real, rel=2.0**-31)


def test_factors_at_the_ends() -> None:
    assert factor(0.5) == Factor(1 << 30, 0)
    assert factor(2.0**-40) == Factor(0, 0)
    # The mantissa rounds up to 1.
    assert factor(0.5 - 2.0**-40) == Factor(1 << 30, 0)
    for real in (1.0, 1 - 2.0**-40, 3.0):
        with pytest.raises(ValueError, match="a factor of"):
            factor(real)
    with pytest.raises(ValueError, match="a factor of"):
        mean_factor(100.0, 1.0, 96)


def test_scales_are_those_of_the_file() -> None:
    # Scales are float32; 0.1 is not, so neither is what is computed from it.
    assert scale_factor(0.1, 0.01, 0.05) == factor(
        float.fromhex("0x1.99999ap-4") * float.fromhex("0x1.47ae14p-7") / float.fromhex("0x1.99999ap-5")
    )
    assert mean_factor(1.0, 1.0, 96) == Factor((1 << 30 << 6) // 96, 5)
