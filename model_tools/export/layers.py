"""The sums and factors of a network's layers, as its C takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from model_tools.export.graph import Convolution, Dense
from model_tools.export.requantisation import Factor, scale_factor, with_smaller_shift

_POINTWISE_SHIFT, _RAW_SHIFT, _DEPTHWISE_SHIFT = 12, 22, 15
"""The largest shifts that the kernels in assembly take: of even and odd pointwise channels, and depthwise."""


class Sums(NamedTuple):
    """What an output channel can come to.

    Attributes
    ----------
    kernel : ndarray, int64 (outputs, taps)
        Weights in the order of the inputs.
    bias : ndarray, int64 (outputs,)
        With which sums over inputs from 0 to 255, not from the zero point, are the same.
    low, high : ndarray, int64 (outputs,)
        Smallest and largest sum.
    """

    kernel: NDArray[np.int64]
    bias: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """A layer's numbers as the C sources take them.

    Attributes
    ----------
    sums : Sums
        Of each output channel.
    factors : tuple of Factor
        By which sums become values.
    roomy : bool
        Whether the kernels in assembly can hold the sums.
    """

    sums: Sums
    factors: tuple[Factor, ...]
    roomy: bool


def convolution_layer(convolution: Convolution) -> Layer:
    """Return a convolution's sums and factors; depthwise kernels channel by channel.

    Raises
    ------
    ModelError
        If they do not fit into the C sources' types.
    """
    weights = convolution.weights
    if weights.kernel.min() < -127:
        raise refused(f"a weight of -128 in {convolution.name}", "-127 to 127, as TFLite has them")
    kernel = weights.kernel.astype(np.int64)
    if convolution.kind == "depthwise":
        kernel = np.moveaxis(kernel[0], -1, 0)
    sums = _sums(kernel.reshape(len(weights.bias), -1), weights.bias, convolution.input.zero_point)
    _check(sums, convolution.name)
    found = _factors(convolution.name, convolution.input.scale, weights.scale, convolution.output.scale)
    fitted = [
        _fitted(by, convolution.kind == "depthwise", channel, int(sums.low[channel]), int(sums.high[channel]))
        for channel, by in enumerate(found)
    ]
    factors = tuple(small or by for small, by in zip(fitted, found, strict=True))
    return Layer(sums, factors, None not in fitted)


def dense_layer(dense: Dense) -> Layer:
    """Return the dense layer's sums and factors. Its inputs are the means as they are, from -128 to 127.

    Raises
    ------
    ModelError
        If they do not fit into the C sources' types.
    """
    kernel = dense.weights.kernel.astype(np.int64)
    sums = _sums(kernel, dense.weights.bias, dense.input.zero_point)
    _check(sums, dense.name)
    factors = _factors(dense.name, dense.input.scale, dense.weights.scale, dense.output.scale)
    return Layer(sums._replace(bias=sums.bias + 128 * kernel.sum(axis=1)), tuple(factors), roomy=True)


def _check(sums: Sums, name: str) -> None:
    for values in (sums.bias, sums.low, sums.high):
        if np.abs(values).max() >= 1 << 31:
            raise refused(f"sums of more than 32 bits in {name}", "32 bits")


def _sums(kernel: NDArray[np.int64], bias: NDArray[np.int32], zero_point: int) -> Sums:
    folded = bias.astype(np.int64) - (zero_point + 128) * kernel.sum(axis=1)
    low = folded + 255 * np.minimum(kernel, 0).sum(axis=1)
    high = folded + 255 * np.maximum(kernel, 0).sum(axis=1)
    return Sums(kernel, folded, low, high)


def _fitted(by: Factor, depthwise: bool, channel: int, low: int, high: int) -> Factor | None:
    """Return a factor of the same values that the kernels in assembly can apply, None without one.

    They shift sums to the left first, which must leave them within 32 bits.
    """
    largest = max(high, -low)
    if depthwise:
        most, shifted = _DEPTHWISE_SHIFT, 17
    elif channel % 2 == 0:
        most, shifted = _POINTWISE_SHIFT, 14
    else:
        most, shifted = _RAW_SHIFT, 8
    fitted = with_smaller_shift(by, most, max(high, 0))
    if fitted and fitted.multiplier == 0:
        return Factor(0, 1)
    if fitted is None or fitted.shift < 1:
        return None
    left = shifted if most == _RAW_SHIFT else shifted - fitted.shift
    return fitted if largest << left < 1 << 31 else None


def _factors(name: str, entry: float, kernel: NDArray[np.float32], output: float) -> list[Factor]:
    try:
        return [scale_factor(entry, float(scale), output) for scale in kernel]
    except ValueError as error:
        raise refused(f"{error} in {name}", "below 1") from None


def refused(got: str, expected: str) -> ModelError:
    """Return the error of a network whose numbers the C sources do not take."""
    return ModelError(
        "this network cannot be exported",
        expected=expected,
        got=got,
        hint="Quantise it with `model-tools quantize`.",
    )
