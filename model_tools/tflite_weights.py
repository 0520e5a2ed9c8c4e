"""The weights in an int8 .tflite that `model-tools quantize` made, as training can go on from them.

A step of eight bits is what is lost against the run that left the model. Batch normalisation was
folded into kernels and biases by the converter; it comes back as one that changes nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.manifest import load_manifest, read_model_file
from aed_daemon.spec import FeatureSpec
from model_tools.architecture import BATCH_NORM_EPSILON, YAMNET_256, Arrays

_CONVOLUTIONS = tuple(
    "DEPTHWISE_CONV_2D" if name.endswith("depthwise") else "CONV_2D" for name in YAMNET_256.layers
)
OPERATORS = ("TRANSPOSE", *_CONVOLUTIONS, "MEAN", "FULLY_CONNECTED", "SOFTMAX")
"""What the graph of a Yamnet-256 consists of, in order."""

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
    """
    try:
        graph = _Graph(model)
        names = graph.names
        if names[-1:] == ["LOGISTIC"]:  # independent outputs: the weights are of the same kind
            names = [*names[:-1], OPERATORS[-1]]
        if names != list(OPERATORS):
            raise _other_graph(where, _first_difference(names))
        found: dict[str, NDArray[np.float32]] = {}
        for number, name in enumerate(YAMNET_256.layers, start=1):
            _check_stride(graph, number, name, where)
            kernel, bias = graph.weights(number)
            # (out, h, w, in), or (1, h, w, channels), as Keras has it: the first axis becomes the last.
            found[f"{name}/kernel"] = np.ascontiguousarray(kernel.transpose(1, 2, 3, 0))
            found[f"{name}/beta"] = bias
            found[f"{name}/mean"] = np.zeros_like(bias)
            found[f"{name}/variance"] = np.full_like(bias, 1.0 - BATCH_NORM_EPSILON)
        kernel, bias = graph.weights(len(OPERATORS) - 2)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        # The bytes lead flatbuffers to places that do not exist.
        raise _other_graph(where, f"a file that cannot be read ({error})") from None
    found["logits/kernel"] = np.ascontiguousarray(kernel.T)
    found["logits/bias"] = bias
    return found


def _other_graph(where: str, got: str) -> ModelError:
    return ModelError(
        "not the network that can be trained here",
        where=where,
        expected="an int8 Yamnet-256: " + ", ".join((*OPERATORS[:4], "…", *OPERATORS[-3:])),
        got=got,
        hint=_HINT,
    )


def _first_difference(names: Sequence[str]) -> str:
    for number, (name, wanted) in enumerate(zip(names, OPERATORS, strict=False), start=1):
        if name != wanted:
            return f"{name} as operator {number}, in place of {wanted}"
    return f"{len(names)} operators, in place of {len(OPERATORS)}"


def _strides() -> dict[str, int]:
    strides = {"layer1_conv": 2}
    for number, (_, stride) in enumerate(YAMNET_256.blocks, start=2):
        strides |= {f"layer{number}_depthwise": stride, f"layer{number}_pointwise": 1}
    return strides


def _check_stride(graph: _Graph, number: int, name: str, where: str) -> None:
    wanted, found = _strides()[name], graph.stride(number)
    if found != (wanted, wanted):
        raise _other_graph(where, f"stride {found} in {name}, in place of {wanted}")


class _Graph:
    """A .tflite's only graph, read by TensorFlow Lite's schema."""

    def __init__(self, model: bytes) -> None:
        # Python alone: neither TensorFlow nor an engine is loaded.
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._model = schema.Model.GetRootAsModel(model, 0)
        self._graph = self._model.Subgraphs(0)
        self._operators = [self._graph.Operators(i) for i in range(self._graph.OperatorsLength())]

    @property
    def names(self) -> list[str]:
        """Names of the operators in the order in which they run."""
        names = {
            value: name
            for name, value in vars(self._schema.BuiltinOperator).items()
            if not name.startswith("_")
        }
        codes = [self._model.OperatorCodes(operator.OpcodeIndex()) for operator in self._operators]
        return [names.get(code.BuiltinCode(), str(code.BuiltinCode())) for code in codes]

    def stride(self, number: int) -> tuple[int, int]:
        """Return the stride of convolution `number`, counted from 0."""
        table = self._operators[number].BuiltinOptions()
        depthwise = self.names[number] == "DEPTHWISE_CONV_2D"
        options = self._schema.DepthwiseConv2DOptions() if depthwise else self._schema.Conv2DOptions()
        options.Init(table.Bytes, table.Pos)
        return int(options.StrideH()), int(options.StrideW())

    def weights(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return kernel, as TensorFlow Lite lays it out, and bias of operator `number`."""
        operator = self._operators[number]
        return self._values(operator.Inputs(1), np.int8), self._values(operator.Inputs(2), np.int32)

    def _values(self, index: int, kind: type[np.int8 | np.int32]) -> NDArray[np.float32]:
        tensor = self._graph.Tensors(index)
        shape = tuple(int(n) for n in tensor.ShapeAsNumpy())
        wanted = self._schema.TensorType.INT8 if kind is np.int8 else self._schema.TensorType.INT32
        quantization = tensor.Quantization()
        if tensor.Type() != wanted or quantization is None or not quantization.ScaleLength():
            raise ValueError(f"the weights {tensor.Name().decode(errors='replace')} are not quantised")
        stored = self._model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        steps = np.frombuffer(stored, kind).astype(np.float64)
        scale = np.asarray(quantization.ScaleAsNumpy(), np.float64)
        zero = np.asarray(quantization.ZeroPointAsNumpy(), np.float64)
        along = [1] * len(shape)
        along[int(quantization.QuantizedDimension()) if len(scale) > 1 else 0] = len(scale)
        real = (steps.reshape(shape) - zero.reshape(along)) * scale.reshape(along)
        return np.asarray(real, np.float32)
