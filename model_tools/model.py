"""The network: Yamnet-256, time first, in Keras; and the pretrained backbone's weights for comparison.

A 3x3 convolution of stride 2 to 32 channels, five depthwise-separable blocks, a mean over time and
frequency, a dense layer. Source: M. Plakal and D. Ellis, YAMNet (MobileNet v1 of A. Howard et al.,
2017, on log-mel patches), cut to 256 channels by STMicroelectronics.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
"""Channels and stride of the depthwise-separable blocks."""

STEM_CHANNELS = 32
BATCH_NORM_EPSILON = 1e-4


def build(spec: FeatureSpec, outputs: int, *, seed: int = 0) -> keras.Model:
    """Return the network with random weights.

    Parameters
    ----------
    spec : FeatureSpec
        Gives the input's shape, (batch, patch_frames, n_mels, 1): log-mel, float32.
    outputs : int
        Number of classes, background included.
    seed : int
        Of the random weights.

    Returns
    -------
    keras.Model
        Patches -> logits, float32 (batch, outputs); the layer before the last, "embedding", has 256 values.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers

    def normalised(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, scale=False, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    patch = layers.Input((spec.patch_frames, spec.n_mels, 1), name="patch")
    x = layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False, name="layer1_conv")(patch)
    x = normalised(x, "layer1_conv")
    for number, (channels, stride) in enumerate(BLOCKS, start=2):
        name = f"layer{number}_depthwise"
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=name)(x)
        x = normalised(x, name)
        name = f"layer{number}_pointwise"
        x = layers.Conv2D(channels, 1, use_bias=False, name=name)(x)
        x = normalised(x, name)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(patch, layers.Dense(outputs, name="logits")(x), name="yamnet256")


def embedder(network: keras.Model) -> keras.Model:
    """Return the network up to its 256 embedding values: patches -> float32 (batch, 256)."""
    import keras

    return keras.Model(network.input, network.get_layer("embedding").output)


def load_backbone(network: keras.Model, path: Path) -> None:
    """Put the weights of a pretrained Yamnet-256 (Keras H5) into everything but the last layer.

    Raises
    ------
    ModelError
        If the file is missing, no H5, or holds other tensors than this network's.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            stored: dict[str, Any] = {}
            file.visititems(
                lambda name, item: stored.update({name: item[()]}) if hasattr(item, "shape") else None
            )
    except OSError as error:
        raise ModelError(f"cannot read the backbone ({error})", where=str(path)) from None

    def tensor(suffix: str) -> Any:
        found = [value for name, value in stored.items() if name.endswith(f"/{suffix}:0")]
        if len(found) != 1:
            raise ModelError(
                f"{len(found)} tensors are called {suffix}",
                where=str(path),
                expected="the backbone of a Yamnet-256",
            )
        return found[0]

    kernels = [("layer1_conv", "layer1/conv", "kernel")]
    for number in range(2, 2 + len(BLOCKS)):
        kernels.append((f"layer{number}_depthwise", f"layer{number}/depthwise_conv", "depthwise_kernel"))
        kernels.append((f"layer{number}_pointwise", f"layer{number}/pointwise_conv", "kernel"))
    for ours, theirs, kernel in kernels:
        values = {ours: [tensor(f"{theirs}/{kernel}")]}
        values[f"{ours}_bn"] = [
            tensor(f"{theirs}/bn/{part}") for part in ("beta", "moving_mean", "moving_variance")
        ]
        for layer, weights in values.items():
            try:
                network.get_layer(layer).set_weights(weights)
            except ValueError:
                raise ModelError(
                    f"{theirs} has a shape that does not fit",
                    where=str(path),
                    got=str([list(weight.shape) for weight in weights]),
                ) from None


def backbone_embeddings(path: Path, patches: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    """Return what the pretrained backbone makes of patches, float32 (n, 256).

    Parameters
    ----------
    path : Path
        Its Keras H5.
    patches : ndarray, float32 (n, patch_frames, n_mels)
        Log-mel patches.

    Raises
    ------
    ModelError
        As `load_backbone`.
    """
    network = build(spec, 1)
    load_backbone(network, path)
    return np.asarray(embedder(network)(patches[..., None], training=False), np.float32)


def deployed(network: keras.Model) -> keras.Model:
    """Return the network as it is deployed: (1, n_mels, patch_frames, 1) -> probabilities (1, outputs).

    The first operator transposes from the layout "mels_frames" to time first, the last is the softmax.
    """
    import keras

    frames, mels = network.input_shape[1:3]
    patch = keras.layers.Input((mels, frames, 1), batch_size=1, name="patch_mels_frames")
    logits = network(keras.layers.Permute((2, 1, 3))(patch))
    return keras.Model(patch, keras.layers.Softmax()(logits))
