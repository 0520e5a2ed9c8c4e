"""The shape of the network, without any framework: what training, conversion and export agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BATCH_NORM_EPSILON = 1e-4
"""Of the pretrained backbone, so that its weights can be taken over."""

Arrays = Mapping[str, NDArray[np.float32]]
"""Weights by "layer/tensor": kernels as Keras lays them out, and beta, mean and variance of what follows."""


@dataclass(frozen=True)
class Architecture:
    """A convolution of stride 2, depthwise-separable blocks, a mean, a dense layer.

    Attributes
    ----------
    stem : int
        Channels of the first convolution.
    blocks : tuple of (int, int)
        Channels and stride of each block.
    """

    stem: int
    blocks: tuple[tuple[int, int], ...]

    def widened(self, factor: float) -> Architecture:
        """Return the same shape with all channels times `factor`, to multiples of 8."""

        def channels(n: int) -> int:
            return max(8, round(n * factor / 8) * 8)

        return Architecture(channels(self.stem), tuple((channels(n), stride) for n, stride in self.blocks))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are followed by batch normalisation, in order."""
        names = ["layer1_conv"]
        for number in range(2, 2 + len(self.blocks)):
            names += [f"layer{number}_depthwise", f"layer{number}_pointwise"]
        return tuple(names)


YAMNET_256 = Architecture(32, ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)))
"""Source: M. Plakal and D. Ellis, YAMNet, cut to 256 channels by STMicroelectronics."""


def architecture_of(stored: Arrays) -> Architecture:
    """Return the widths of the network that has these weights; the strides are Yamnet-256's."""
    pairs = enumerate(YAMNET_256.blocks, start=2)
    blocks = tuple(
        (int(stored[f"layer{number}_pointwise/kernel"].shape[-1]), stride) for number, (_, stride) in pairs
    )
    return Architecture(int(stored["layer1_conv/kernel"].shape[-1]), blocks)
