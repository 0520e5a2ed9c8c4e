"""The network in Keras, as it is converted for the device.

A 3x3 convolution of stride 2 to 32 channels, five depthwise-separable blocks, a mean over time and
frequency, a dense layer. Source: M. Plakal and D. Ellis, YAMNet (MobileNet v1 of A. Howard et al.,
2017, on log-mel patches), cut to 256 channels by STMicroelectronics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aed_daemon.spec import FeatureSpec
from model_tools.architecture import BATCH_NORM_EPSILON, Arrays, architecture_of

if TYPE_CHECKING:
    import keras


def build(spec: FeatureSpec, weights: Arrays) -> keras.Model:
    """Return the network that has these weights.

    Parameters
    ----------
    spec : FeatureSpec
        Gives the input's shape, (batch, patch_frames, n_mels, 1): log-mel, float32.
    weights : Arrays
        What a run leaves; the widths and the number of outputs are read from them.

    Returns
    -------
    keras.Model
        Patches -> logits, float32 (batch, outputs); the layer before the last is called "embedding".
    """
    import keras

    layers, shape = keras.layers, architecture_of(weights)

    def normalised(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, scale=False, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    patch = layers.Input((spec.patch_frames, spec.n_mels, 1), name="patch")
    x = layers.Conv2D(shape.stem, 3, strides=2, padding="same", use_bias=False, name="layer1_conv")(patch)
    x = normalised(x, "layer1_conv")
    for number, (channels, stride) in enumerate(shape.blocks, start=2):
        name = f"layer{number}_depthwise"
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=name)(x)
        x = normalised(x, name)
        name = f"layer{number}_pointwise"
        x = layers.Conv2D(channels, 1, use_bias=False, name=name)(x)
        x = normalised(x, name)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = layers.Dense(len(weights["logits/bias"]), name="logits")(x)
    network = keras.Model(patch, logits, name="yamnet256")
    for name in shape.layers:
        network.get_layer(name).set_weights([weights[f"{name}/kernel"]])
        network.get_layer(f"{name}_bn").set_weights(
            [weights[f"{name}/{tensor}"] for tensor in ("beta", "mean", "variance")]
        )
    network.get_layer("logits").set_weights([weights["logits/kernel"], weights["logits/bias"]])
    return network


def deployed(network: keras.Model, activation: str = "softmax") -> keras.Model:
    """Return the network as it is deployed: (1, n_mels, patch_frames, 1) -> probabilities (1, outputs).

    The first operator transposes from the layout "mels_frames" to time first, the last is the
    activation, "softmax" or "sigmoid".
    """
    import keras

    frames, mels = network.input_shape[1:3]
    patch = keras.layers.Input((mels, frames, 1), batch_size=1, name="patch_mels_frames")
    logits = network(keras.layers.Permute((2, 1, 3))(patch))
    return keras.Model(patch, keras.layers.Activation(activation)(logits))
