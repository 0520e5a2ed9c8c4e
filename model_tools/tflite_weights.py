"""The weights in an int8 .tflite that `model-tools quantize` made, as training can go on from them.

A step of eight bits is what is lost against the run that left the model. Batch normalisation was
folded into kernels and biases by the converter; it comes back as one that changes nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.manifest import load_manifest, read_model_file
from aed_daemon.spec import FeatureSpec
from model_tools.architecture import BATCH_NORM_EPSILON, YAMNET_256, Arrays
from model_tools.export.graph import Network, Weights, read_network

_HINT = "Only what `model-tools quantize` wrote can be adapted: the default model, or one of your own."


def read_model(path: Path, spec: FeatureSpec) -> Arrays:
    """Return the weights of a model file; its manifest, beside it, must be of these features.

    Raises
    ------
    ModelError
        If file or manifest are missing or do not belong together, or the graph is another one.
    """
    manifest = load_manifest(path)
    if manifest.spec_id != spec.spec_id:
        raise ModelError(
            "the model was trained on other features",
            where=str(path),
            expected=f"spec_id {spec.spec_id}",
            got=manifest.spec_id,
        )
    return weights_of(read_model_file(path.with_name(manifest.file)), where=str(path))


def weights_of(model: bytes, *, where: str = "model") -> dict[str, NDArray[np.float32]]:
    """Return the weights of an int8 .tflite, "layer/tensor" as in `model_tools.architecture`.

    Parameters
    ----------
    model : bytes
        The file.
    where : str
        Its name in messages.

    Raises
    ------
    ModelError
        If it is not the graph of a Yamnet-256, or not quantised per channel to int8.
    MissingToolError
        Without the package that reads .tflite files.
    """
    try:
        network = read_network(model, where=where)
    except ModelError as error:
        raise _other_graph(where, error.got or error.what) from None
    _check_layers(network, where)
    found: dict[str, NDArray[np.float32]] = {}
    for layer in network.convolutions:
        kernel, bias = _floats(layer.weights, layer.input.scale, axis=3 if layer.kind == "depthwise" else 0)
        # (out, h, w, in), or (1, h, w, channels), as Keras has it: the first axis becomes the last.
        found[f"{layer.name}/kernel"] = np.ascontiguousarray(kernel.transpose(1, 2, 3, 0))
        found[f"{layer.name}/beta"] = bias
        found[f"{layer.name}/mean"] = np.zeros_like(bias)
        found[f"{layer.name}/variance"] = np.full_like(bias, 1.0 - BATCH_NORM_EPSILON)
    kernel, bias = _floats(network.dense.weights, network.dense.input.scale, axis=0)
    found["logits/kernel"] = np.ascontiguousarray(kernel.T)
    found["logits/bias"] = bias
    return found


def _floats(
    weights: Weights, input_scale: float, axis: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel and bias as real numbers; the kernel's channels are along `axis`."""
    scale = weights.scale.astype(np.float64)
    along = [1] * weights.kernel.ndim
    along[axis] = len(scale)
    kernel = weights.kernel * scale.reshape(along)
    return kernel.astype(np.float32), (weights.bias * (scale * input_scale)).astype(np.float32)


def _check_layers(network: Network, where: str) -> None:
    found = [(layer.name, layer.stride) for layer in network.convolutions]
    wanted = _layers()
    for (name, stride), (_, wanted_stride) in zip(found, wanted, strict=False):
        if stride != wanted_stride:
            raise _other_graph(where, f"stride {stride} in {name}, in place of {wanted_stride}")
    if len(found) != len(wanted):
        raise _other_graph(where, f"{len(found)} convolutions, in place of {len(wanted)}")


def _layers() -> list[tuple[str, int]]:
    """Return names and strides; `read_network` sees to the order of the kinds."""
    strides = [2, *(part for _, stride in YAMNET_256.blocks for part in (stride, 1))]
    return list(zip(YAMNET_256.layers, strides, strict=True))


def _other_graph(where: str, got: str) -> ModelError:
    return ModelError(
        "not the network that can be trained here",
        where=where,
        expected="an int8 Yamnet-256",
        got=got,
        hint=_HINT,
    )
