"""What eight bits cost, layer by layer: range, saturation and error of every activation."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import FeatureSpec
from model_tools.architecture import Arrays
from model_tools.training.activation import Activation

_PATCHES = 96


@dataclass(frozen=True)
class LayerError:
    """One operator's output, int8 against float on the same patches.

    Attributes
    ----------
    operator : str
        TFLite's name.
    layer : str
        The network's name.
    scale : float
        Real value of one step.
    low, high : float
        Range that eight bits hold.
    found_low, found_high : float
        Range of the float network.
    saturated : float
        Share of the float values outside the range that eight bits hold, by more than a step.
    sqnr_db : float
        Power of the float values over that of the difference: errors of earlier layers included.
    """

    operator: str
    layer: str
    scale: float
    low: float
    high: float
    found_low: float
    found_high: float
    saturated: float
    sqnr_db: float

    def as_dict(self) -> dict[str, Any]:
        """Return the values, rounded to what they are good for."""
        return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(self).items()}


def quantization_report(
    model: bytes,
    weights: Arrays,
    patches: NDArray[np.float32],
    spec: FeatureSpec,
    activation: Activation = "softmax",
) -> list[LayerError]:
    """Return the error of every layer, in the order in which they run.

    Parameters
    ----------
    model : bytes
        The int8 .tflite of the network.
    weights : Arrays
        The network before quantisation.
    patches : ndarray, float32 (n, patch_frames, n_mels)
        Log-mel; of more than 96 every so many are taken.
    """
    chosen = patches[:: max(1, len(patches) // _PATCHES)][:_PATCHES]
    layers, exact = _float_activations(weights, chosen, spec, activation)
    found = []
    for name, real, (operator, scale, zero_point, integers) in zip(
        layers, exact, _int8_activations(model, chosen), strict=True
    ):
        low, high = scale * (-128 - zero_point), scale * (127 - zero_point)
        error = real - scale * (integers.astype(np.float64) - zero_point)
        power, noise = float(np.mean(real**2)), float(np.mean(error**2))
        outside = (real < low - scale) | (real > high + scale)
        found.append(
            LayerError(
                operator,
                name,
                scale,
                low,
                high,
                float(real.min()),
                float(real.max()),
                float(outside.mean()),
                float(10.0 * np.log10(power / max(noise, 1e-20))),
            )
        )
    return found


def _float_activations(
    weights: Arrays, patches: NDArray[np.float32], spec: FeatureSpec, activation: Activation
) -> tuple[list[str], list[NDArray[np.float64]]]:
    import keras

    from model_tools.model import build

    network = build(spec, weights)
    names = [layer.name for layer in network.layers if layer.name.endswith("_relu")] + ["embedding", "logits"]
    probe = keras.Model(network.input, [network.get_layer(name).output for name in names])
    outputs = [np.asarray(output, np.float64) for output in probe(patches[..., None], training=False)]
    logits = outputs[-1]
    if activation == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = powers / powers.sum(axis=1, keepdims=True)
    else:
        found = 1.0 / (1.0 + np.exp(-logits))
    return ["patch", *names, activation], [patches[..., None].astype(np.float64), *outputs, found]


def _int8_activations(
    model: bytes, patches: NDArray[np.float32]
) -> list[tuple[str, float, int, NDArray[np.int8]]]:
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow announces here that the class is moving to LiteRT.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(
            model_content=model,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    scale, zero_point = given["quantization"]
    operators = [op for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
    values: list[list[NDArray[np.int8]]] = [[] for _ in operators]
    for patch in patches:
        steps = np.clip(np.rint(patch.T / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], steps[None, :, :, None])
        interpreter.invoke()
        for kept, op in zip(values, operators, strict=True):
            kept.append(np.array(interpreter.get_tensor(op["outputs"][0])))
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    found = []
    for kept, op in zip(values, operators, strict=True):
        tensor = details[op["outputs"][0]]
        found.append((op["op_name"], *tensor["quantization"], np.concatenate(kept)))
    return found
