"""The network in integers with NumPy: what TFLite's reference kernels compute, for inputs of any length.

It gives the known answers of an export, and every layer's values to compare with.

The reference is what the kernels BUILTIN_REF of tflite-runtime 2.14 give: two roundings wherever a sum
becomes a value of the next layer. Others differ: LiteRT 2.3's BUILTIN_REF rounds the logits once, the default
kernels of tflite-runtime (the daemon's engine `tflite`) differ in ties, and those of LiteRT (XNNPACK) in an
eighth of the scores. `benchmarks/mcu.json` counts the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_tools.export.activation import exponentials, logistic
from model_tools.export.graph import Convolution, Network, Plane
from model_tools.export.plan import Plan
from model_tools.export.requantisation import mean_factor, scale_factor

Ints = NDArray[np.int64]


class Outcome(NamedTuple):
    """What a network makes of an input.

    Attributes
    ----------
    planes : mapping of str to ndarray, int8 (rows, columns, channels)
        Output of each convolution, by its name.
    scores : ndarray, int8 (decisions, classes)
        One for a patch; in stream mode one for each row of the mean once a patch's length is there; in
        incremental mode those of all patches, which are walked by themselves.
    """

    planes: Mapping[str, NDArray[np.int8]]
    scores: NDArray[np.int8]


def walk(plan: Plan, frames: NDArray[np.int8]) -> Outcome:
    """Run the network over one input.

    Parameters
    ----------
    plan : Plan
        Of the network, with the mode.
    frames : ndarray, int8 (t, n_mels)
        A patch in patch mode; any number in the others, where rows that would need frames after the last are
        not made.
    """
    network, length = plan.network, plan.network.input.rows
    if plan.mode == "incremental":
        alone, along = replace(plan, mode="patch"), replace(plan, mode="stream")
        firsts = range(0, len(frames) - length + 1, plan.hop_frames)
        found = [walk(alone, frames[first : first + length]).scores for first in firsts]
        return Outcome(walk(along, frames).planes, np.concatenate(found))
    values: NDArray[np.int8] = frames[:, :, np.newaxis]
    planes = {}
    for layer in network.convolutions:
        values = _convolved(layer, values, whole=plan.mode == "patch")
        planes[layer.name] = values
    rows = plan.stages[-1].rows
    sums = values.astype(np.int64).sum(axis=1) + 128 * values.shape[1]
    decisions = max(len(sums) - rows + 1, 0)
    scores = [_scored(network, sums[at : at + rows].sum(axis=0)) for at in range(decisions)]
    return Outcome(planes, np.array(scores, np.int8).reshape(decisions, network.output.channels))


def _convolved(layer: Convolution, values: NDArray[np.int8], *, whole: bool) -> NDArray[np.int8]:
    """Return a layer's output, with padding behind the last row only where the input is `whole`."""
    # Products and sums of float64 are exact: they stay far below 2^53.
    centred = values.astype(np.float64) - layer.input.zero_point
    kernel = layer.weights.kernel.astype(np.float64)
    if layer.kind == "pointwise":
        sums = centred @ kernel[:, 0, 0, :].T
    else:
        after = (layer.after[0] if whole else 0, layer.after[1])
        padded = np.pad(centred, [*zip(layer.before, after, strict=True), (0, 0)])
        if len(padded) < 3:
            return np.empty((0, layer.output.columns, layer.output.channels), np.int8)
        rows, columns = ((size - 3) // layer.stride + 1 for size in padded.shape[:2])
        sums = np.zeros((rows, columns, layer.output.channels))
        for y in range(3):
            for x in range(3):
                part = padded[y :: layer.stride, x :: layer.stride][:rows, :columns]
                sums += part * kernel[0, y, x] if layer.kind == "depthwise" else part @ kernel[:, y, x].T
    totals = sums.astype(np.int64) + layer.weights.bias
    factors = [scale_factor(layer.input.scale, float(s), layer.output.scale) for s in layer.weights.scale]
    multipliers = np.array([by.multiplier for by in factors])
    shifts = np.array([by.shift for by in factors])
    return _clamped(layer.output, _shifted(_high(totals, multipliers), shifts), relu=layer.relu)


def _scored(network: Network, sums: Ints) -> NDArray[np.int8]:
    """Return the scores of the sums of q + 128 over a patch's last rows."""
    entry, embedding = network.mean
    by = mean_factor(entry.scale, embedding.scale, entry.rows * entry.columns)
    mean = _clamped(embedding, _shifted(_high(sums, np.array(by.multiplier)), np.array(by.shift)))
    dense = network.dense
    totals = (mean.astype(np.int64) - dense.input.zero_point) @ dense.weights.kernel.T.astype(np.int64)
    factors = [scale_factor(dense.input.scale, float(s), dense.output.scale) for s in dense.weights.scale]
    multipliers = np.array([one.multiplier for one in factors])
    shifts = np.array([one.shift for one in factors])
    totals += dense.weights.bias
    logits = _clamped(dense.output, _shifted(_high(totals, multipliers), shifts))
    if network.activation == "sigmoid":
        table = logistic(dense.output.scale, dense.output.zero_point)
        return np.asarray(table[logits.astype(np.int64) + 128])
    return _softmax(logits, dense.output.scale)


def _softmax(logits: NDArray[np.int8], scale: float) -> NDArray[np.int8]:
    """Return TFLite's softmax: the sum in 2^-19, its reciprocal by three steps of Newton's method."""
    table = np.zeros(256, np.int64)
    known = exponentials(scale)
    table[: len(known)] = known
    powers = table[logits.max().astype(np.int64) - logits.astype(np.int64)]
    total = int(_shifted(powers, np.array(12)).sum())
    digits = total.bit_length()
    divisor = (total << (32 - digits)) >> 1
    guess = 1515870810 + int(_high(np.array(divisor), np.array(-1010580540)))
    for _ in range(3):
        error = (1 << 29) - int(_high(np.array(divisor), np.array(guess)))
        guess += 4 * int(_high(np.array(guess), np.array(error)))
    factor = min(2 * guess, (1 << 31) - 1)
    shares = _shifted(_high(powers, np.array(factor)), np.array(35 - (32 - digits)))
    return np.clip(shares - 128, -128, 127).astype(np.int8)


def _high(a: Ints, b: Ints) -> Ints:
    """Return a * b / 2^31, halves towards plus infinity."""
    return np.asarray((a * b + (1 << 30)) >> 31)


def _shifted(values: Ints, shifts: Ints) -> Ints:
    """Return values / 2^shifts, halves away from 0."""
    rounded = (np.abs(values) + ((1 << shifts) >> 1)) >> shifts
    return np.asarray(np.where(values < 0, -rounded, rounded))


def _clamped(plane: Plane, values: Ints, *, relu: bool = False) -> NDArray[np.int8]:
    low = max(-128, plane.zero_point) if relu else -128
    return np.clip(values + plane.zero_point, low, 127).astype(np.int8)
