"""The graph of an int8 .tflite as typed layers: what can be written as C, and a clear no to the rest."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from model_tools.export.toolchain import MissingToolError

_HINT = "The networks that `model-tools train` and `quantize` make can be exported: Yamnet-256 of any width."

_SUPPORTED = {
    "TRANSPOSE": (1, 2),
    "CONV_2D": (1, 3),
    "DEPTHWISE_CONV_2D": (1, 3),
    "MEAN": (1, 2),
    "FULLY_CONNECTED": (1, 4),
    "SOFTMAX": (1, 2),
    "LOGISTIC": (1, 2),
}
"""Operator -> lowest and highest version whose meaning is known here."""

_SAME, _VALID = 0, 1
_NO_ACTIVATION, _RELU = 0, 1


@dataclass(frozen=True)
class Plane:
    """An int8 tensor between layers.

    Attributes
    ----------
    rows, columns, channels : int
        Time, frequency, depth; rows and columns are 1 after the mean.
    scale : float
        Real value of a step, a float32.
    zero_point : int
        Step of the real value 0.
    """

    rows: int
    columns: int
    channels: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Weights:
    """Kernel and bias of a layer, quantised per output channel with zero point 0.

    Attributes
    ----------
    kernel : ndarray, int8
        (outputs, height, width, inputs); (1, height, width, channels) of a depthwise layer; (outputs,
        inputs) of a dense one.
    bias : ndarray, int32 (outputs,)
        In steps of the input's scale times the kernel's.
    scale : ndarray, float32 (outputs,)
        The kernel's.
    """

    kernel: NDArray[np.int8]
    bias: NDArray[np.int32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """A convolution with SAME padding, each channel by itself if it is depthwise.

    Attributes
    ----------
    name : str
        "layer1_conv", "layer2_depthwise", "layer2_pointwise" and so on, by place.
    kind : {"full", "depthwise", "pointwise"}
        Which of the three kinds of kernel.
    stride : int
        In both directions.
    before, after : (int, int)
        Rows and columns of padding before the first and after the last.
    input, output : Plane
        The output is clamped to its zero point and above where `relu`.
    """

    name: str
    kind: Literal["full", "depthwise", "pointwise"]
    stride: int
    before: tuple[int, int]
    after: tuple[int, int]
    relu: bool
    input: Plane
    output: Plane
    weights: Weights

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a patch; padding counted as if it were multiplied."""
        kernel = self.weights.kernel.shape
        per_output = kernel[1] * kernel[2] * (1 if self.kind == "depthwise" else kernel[3])
        return self.output.rows * self.output.columns * self.output.channels * per_output


@dataclass(frozen=True)
class Dense:
    """The fully connected layer."""

    name: str
    input: Plane
    output: Plane
    weights: Weights

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return int(self.weights.kernel.size)


@dataclass(frozen=True)
class Network:
    """A Yamnet-256 of any width.

    Attributes
    ----------
    transposed : bool
        Whether the file's input is (mels, frames) and the first operator turns it.
    input : Plane
        A patch: rows are frames, columns mels, one channel.
    convolutions : tuple of Convolution
        In order.
    mean : (Plane, Plane)
        Input and output of the mean over rows and columns.
    dense : Dense
        To the classes.
    activation : {"softmax", "sigmoid"}
        Of the output.
    output : Plane
        Scores.
    """

    transposed: bool
    input: Plane
    convolutions: tuple[Convolution, ...]
    mean: tuple[Plane, Plane]
    dense: Dense
    activation: Literal["softmax", "sigmoid"]
    output: Plane


def read_network(model: bytes, *, where: str = "model") -> Network:
    """Return the layers of an int8 .tflite.

    Parameters
    ----------
    model : bytes
        The file.
    where : str
        Its name in messages.

    Raises
    ------
    ModelError
        If it is no .tflite, is not quantised to int8 per channel, or holds an operator, a version or an
        order of layers that cannot be exported; the operator and its place are named.
    MissingToolError
        Without the package that reads .tflite files.
    """
    if model[4:8] != b"TFL3":
        raise ModelError("not a .tflite file", where=where, hint=_HINT)
    try:
        return _Reader(model, where).network()
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        # The bytes lead flatbuffers to places that do not exist.
        raise ModelError(f"the file is damaged ({error})", where=where, hint=_HINT) from None


class _Reader:
    """Walks the operators of the only graph, each of which takes what the one before it gave."""

    def __init__(self, model: bytes, where: str) -> None:
        try:
            import tflite
        except ModuleNotFoundError:
            raise MissingToolError(
                "tflite, which reads models, is not installed", hint="pip install tflite."
            ) from None
        self._schema: Any = tflite
        self._where = where
        self._model = tflite.Model.GetRootAsModel(model, 0)
        if self._model.SubgraphsLength() != 1:
            raise self._refused(f"{self._model.SubgraphsLength()} graphs", "one")
        self._graph = self._model.Subgraphs(0)
        self._operators = [self._graph.Operators(i) for i in range(self._graph.OperatorsLength())]
        self._names: dict[int, str] = {
            value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
        }
        self._at = 0
        self._tensor = int(self._graph.Inputs(0))

    def network(self) -> Network:
        transposed = self._name() == "TRANSPOSE"
        if transposed:
            self._transpose()
        entry = self._plane(self._tensor)
        convolutions: list[Convolution] = []
        while self._name() in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            convolutions.append(self._convolution(len(convolutions)))
        mean = self._mean()
        dense = self._dense()
        if self._name() not in ("SOFTMAX", "LOGISTIC"):
            raise self._refused(self._told(), "SOFTMAX or LOGISTIC")
        activation: Literal["softmax", "sigmoid"] = "softmax" if self._name() == "SOFTMAX" else "sigmoid"
        if activation == "softmax" and self._options("SoftmaxOptions").Beta() != 1.0:
            raise self._refused("another beta in SOFTMAX", "1.0")
        self._step()
        output = self._plane(self._tensor)
        if self._at != len(self._operators):
            raise self._refused(self._told(), "nothing after the activation")
        return Network(transposed, entry, tuple(convolutions), mean, dense, activation, output)

    def _name(self) -> str:
        if self._at >= len(self._operators):
            return "the end"
        code = self._model.OperatorCodes(self._operators[self._at].OpcodeIndex())
        # Files of before 2020 have the number in the narrower field only.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._names.get(number, f"operator {number}")
        if name not in _SUPPORTED:
            raise self._refused(f"{name} as operator {self._at + 1}", ", ".join(_SUPPORTED))
        low, high = _SUPPORTED[name]
        if not low <= code.Version() <= high:
            raise self._refused(
                f"version {code.Version()} of {name} as operator {self._at + 1}", f"version {low} to {high}"
            )
        return name

    def _told(self) -> str:
        return f"{self._name()} as operator {self._at + 1}"

    def _refused(self, got: str, expected: str) -> ModelError:
        return ModelError(
            "this network cannot be exported", where=self._where, expected=expected, got=got, hint=_HINT
        )

    def _options(self, kind: str) -> Any:
        table = self._operators[self._at].BuiltinOptions()
        options = getattr(self._schema, kind)()
        options.Init(table.Bytes, table.Pos)
        return options

    def _step(self) -> None:
        """Go on to the next operator, by the tensor that joins the two."""
        operator = self._operators[self._at]
        if int(operator.Inputs(0)) != self._tensor or operator.OutputsLength() != 1:
            raise self._refused(f"{self._told()} off the line", "operators one after the other")
        self._tensor = int(operator.Outputs(0))
        self._at += 1

    def _plane(self, index: int) -> Plane:
        tensor = self._graph.Tensors(index)
        if tensor.Type() != self._schema.TensorType.INT8:
            raise self._refused(
                f"{self._type(tensor)} in {_named(tensor)}", "int8 from input to output (`quantize`)"
            )
        shape = [int(n) for n in tensor.ShapeAsNumpy()]
        if len(shape) not in (2, 4) or shape[0] != 1:
            raise self._refused(f"shape {tuple(shape)} of {_named(tensor)}", "one patch")
        quantization = tensor.Quantization()
        if quantization is None or quantization.ScaleLength() != 1:
            raise self._refused(f"no single scale for {_named(tensor)}", "one scale per tensor")
        rows, columns = shape[1:3] if len(shape) == 4 else (1, 1)
        scale = float(np.float32(quantization.Scale(0)))
        return Plane(rows, columns, shape[-1], scale, int(quantization.ZeroPoint(0)))

    def _type(self, tensor: Any) -> str:
        kinds = vars(self._schema.TensorType).items()
        return next((name.lower() for name, value in kinds if value == tensor.Type()), "another type")

    def _constant(self, index: int, kind: type[np.generic]) -> NDArray[Any]:
        tensor = self._graph.Tensors(index)
        wanted = {np.int8: "INT8", np.int32: "INT32"}[kind]
        if tensor.Type() != getattr(self._schema.TensorType, wanted):
            raise self._refused(f"{self._type(tensor)} in {_named(tensor)}", wanted.lower())
        stored = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(stored, int):
            raise self._refused(f"no values in {_named(tensor)}", "constants")
        return np.frombuffer(stored.tobytes(), kind).reshape([int(n) for n in tensor.ShapeAsNumpy()])

    def _weights(self, axis: int) -> Weights:
        operator = self._operators[self._at]
        if operator.InputsLength() != 3 or int(operator.Inputs(2)) < 0:
            raise self._refused(f"{self._told()} without a bias", "kernel and bias")
        tensor = self._graph.Tensors(operator.Inputs(1))
        kernel = self._constant(operator.Inputs(1), np.int8)
        quantization = tensor.Quantization()
        scale = np.asarray(quantization.ScaleAsNumpy() if quantization else [], np.float32).reshape(-1)
        if len(scale) != kernel.shape[axis] or int(quantization.QuantizedDimension()) != axis:
            raise self._refused(
                f"{len(scale)} scales for the {kernel.shape[axis]} channels of {self._told()}",
                "weights quantised per channel",
            )
        if np.any(quantization.ZeroPointAsNumpy()):
            raise self._refused(f"a zero point other than 0 in the weights of {self._told()}", "0")
        return Weights(kernel, self._constant(operator.Inputs(2), np.int32), scale)

    def _transpose(self) -> None:
        order = self._constant(self._operators[self._at].Inputs(1), np.int32).tolist()
        if order != [0, 2, 1, 3]:
            raise self._refused(f"the order {order} in TRANSPOSE", "[0, 2, 1, 3]: mels and frames")
        self._step()

    def _convolution(self, place: int) -> Convolution:
        depthwise = self._name() == "DEPTHWISE_CONV_2D"
        options = self._options("DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
        weights = self._weights(3 if depthwise else 0)
        height, width = weights.kernel.shape[1:3]
        kind: Literal["full", "depthwise", "pointwise"] = "depthwise" if depthwise else "full"
        if not depthwise and (height, width) == (1, 1):
            kind = "pointwise"
        name = "layer1_conv" if place == 0 else f"layer{(place + 3) // 2}_{kind}"
        self._check(
            {
                "kernel": ((height, width), ((1, 1) if kind == "pointwise" else (3, 3),)),
                "stride": (
                    (options.StrideH(), options.StrideW()),
                    ((1, 1),) if kind == "pointwise" else ((1, 1), (2, 2)),
                ),
                "dilation": ((options.DilationHFactor(), options.DilationWFactor()), ((1, 1),)),
                "padding": (options.Padding(), (_SAME,) if kind != "pointwise" else (_SAME, _VALID)),
                "activation": (options.FusedActivationFunction(), (_NO_ACTIVATION, _RELU)),
            }
        )
        expected = ("full", "depthwise", "pointwise")[0 if place == 0 else 1 + (place + 1) % 2]
        if kind != expected:
            raise self._refused(f"a {kind} {self._told()}", f"a {expected} convolution")
        entry = self._plane(self._tensor)
        relu = options.FusedActivationFunction() == _RELU
        stride = int(options.StrideH())
        self._step()
        output = self._plane(self._tensor)
        rows, columns = (
            _padding(n, m, int(size), stride)
            for n, m, size in ((entry.rows, output.rows, height), (entry.columns, output.columns, width))
        )
        before, after = (rows[0], columns[0]), (rows[1], columns[1])
        return Convolution(name, kind, stride, before, after, relu, entry, output, weights)

    def _check(self, facts: dict[str, tuple[Any, tuple[Any, ...]]]) -> None:
        for name, (got, allowed) in facts.items():
            if got not in allowed:
                raise self._refused(f"{name} {got} in {self._told()}", " or ".join(map(str, allowed)))

    def _mean(self) -> tuple[Plane, Plane]:
        if self._name() != "MEAN":
            raise self._refused(self._told(), "MEAN over time and frequency")
        axes = sorted(self._constant(self._operators[self._at].Inputs(1), np.int32).ravel().tolist())
        if axes != [1, 2]:
            raise self._refused(f"the axes {axes} in MEAN", "[1, 2]: time and frequency")
        entry = self._plane(self._tensor)
        self._step()
        return entry, self._plane(self._tensor)

    def _dense(self) -> Dense:
        if self._name() != "FULLY_CONNECTED":
            raise self._refused(self._told(), "FULLY_CONNECTED to the classes")
        options = self._options("FullyConnectedOptions")
        self._check({"activation": (options.FusedActivationFunction(), (_NO_ACTIVATION,))})
        weights = self._weights(0)
        entry = self._plane(self._tensor)
        self._step()
        return Dense("logits", entry, self._plane(self._tensor), weights)


def _padding(entry: int, output: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return SAME padding before and after, as TensorFlow divides it: the odd one comes after."""
    total = max((output - 1) * stride + kernel - entry, 0)
    return total // 2, total - total // 2


def _named(tensor: Any) -> str:
    return f"the tensor {tensor.Name().decode(errors='replace')}"
