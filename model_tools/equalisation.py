"""Scales moved from layer to layer, so that eight bits serve every channel alike.

Activations have one scale for all channels of a layer. A channel that never gets far from zero has few
of its 255 values, and the next layer multiplies its rounding errors. Behind a ReLU a channel may be made
larger by any factor if the next layer's weights for it are made smaller: in floats nothing changes.

Source: M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
section 4.1; with ranges of activations, measured, in place of those of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_tools.architecture import Arrays, architecture_of

_MOST = 64.0
"""Largest factor: a channel that hardly ever speaks stays small."""

_SILENT = 1e-6
"""Of the largest range in its layer; such a channel is left as it is."""

_BATCH = 64


def equalised(weights: Arrays, patches: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return the weights of the same function, fit for eight bits.

    Parameters
    ----------
    weights : Arrays
        What a run leaves.
    patches : ndarray, float32 (n, patch_frames, n_mels)
        On which the ranges of the channels are measured.
    """
    made = {name: np.array(values) for name, values in weights.items()}
    found = _ranges(weights, patches)
    names = [*architecture_of(weights).layers, "logits"]
    for name, following in pairwise(names):
        factors = _factors(found[name], made, following)
        _multiply_outputs(made, name, factors)
        _divide_inputs(made, following, factors)
    return made


def _ranges(weights: Arrays, patches: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return the largest activation of each channel, by layer."""
    import torch

    from model_tools.training.network import from_arrays

    network = from_arrays(weights).eval()
    found: dict[str, NDArray[np.float32]] = {}

    def listener(name: str) -> Callable[[object, object, torch.Tensor], None]:
        def hear(_layer: object, _given: object, got: torch.Tensor) -> None:
            found[name] = np.maximum(found.get(name, 0.0), got.amax((0, 2, 3)).numpy())

        return hear

    for name, layer in network.named_layers().items():
        layer.register_forward_hook(listener(name))
    with torch.no_grad():
        for first in range(0, len(patches), _BATCH):
            network(torch.from_numpy(patches[first : first + _BATCH]))
    return found


def _factors(ranges: NDArray[np.float32], weights: Arrays, following: str) -> NDArray[np.float32]:
    """Return by what to multiply each channel.

    A depthwise layer has a scale of weights for each channel, so all channels get the range of the
    largest. In other layers the weights of all inputs share one: the means of both kinds of range meet.
    """
    speaking = ranges > _SILENT * ranges.max()
    share = np.where(speaking, ranges / ranges.max(), 1.0)
    if following.endswith("depthwise"):
        factors = 1.0 / share
    else:
        kernel = np.abs(weights[f"{following}/kernel"])
        kernel = kernel.reshape(-1, *kernel.shape[-2:]).max(axis=0)  # (inputs, outputs)
        largest = (kernel / kernel.max(axis=0)).max(axis=1)
        factors = np.sqrt(np.maximum(largest, _SILENT) / share)
        factors = np.where(speaking, factors / np.exp(np.log(factors).mean()), 1.0)
    return np.clip(factors, 1.0 / _MOST, _MOST).astype(np.float32)


def _multiply_outputs(
    weights: dict[str, NDArray[np.float32]], name: str, factors: NDArray[np.float32]
) -> None:
    # A depthwise kernel has its channels before its last axis.
    weights[f"{name}/kernel"] *= factors[:, None] if name.endswith("depthwise") else factors
    weights[f"{name}/mean"] *= factors
    weights[f"{name}/beta"] *= factors


def _divide_inputs(weights: dict[str, NDArray[np.float32]], name: str, factors: NDArray[np.float32]) -> None:
    weights[f"{name}/kernel"] /= factors[:, None]
