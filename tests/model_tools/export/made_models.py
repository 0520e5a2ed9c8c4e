"""Networks as .tflite files: the shipped one changed in its widths, weights or operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aed_daemon.manifest import DEFAULT_MODEL

Edit = Callable[[Any], None]
"""Changes a parsed model."""


def schema() -> Any:
    """Return the module of the file format's classes."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def edited(*edits: Edit, model: bytes | None = None) -> bytes:
    """Return the shipped model, or another, after some changes."""
    import flatbuffers

    parsed = schema().ModelT.InitFromPackedBuf(model or DEFAULT_MODEL.read_bytes(), 0)
    for edit in edits:
        edit(parsed)
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator(parsed: Any, kind: str, number: int = 0) -> Any:
    """Return the operator of this kind, or one of several."""
    code = getattr(schema().BuiltinOperator, kind)
    codes = parsed.operatorCodes
    return [op for op in parsed.subgraphs[0].operators if codes[op.opcodeIndex].builtinCode == code][number]


def tensors(parsed: Any, kind: str, number: int = 0) -> Sequence[Any]:
    """Return an operator's tensors: inputs, then output."""
    found = operator(parsed, kind, number)
    return [parsed.subgraphs[0].tensors[i] for i in (*found.inputs, *found.outputs)]


def narrowed(factor: float, classes: int = 11) -> Edit:
    """Return the change to other widths: the channels that are left keep their weights."""

    def channels(n: int) -> int:
        return max(8, round(n * factor / 8) * 8)

    def edit(parsed: Any) -> None:
        graph = parsed.subgraphs[0]
        for op in graph.operators:
            if len(op.inputs) == 3:
                kernel, bias = (graph.tensors[i] for i in op.inputs[1:])
                dense = len(kernel.shape) == 2
                depthwise = kernel.quantization.quantizedDimension == 3
                outputs = classes if dense else channels(kernel.shape[3 if depthwise else 0])
                inputs = kernel.shape[-1] if kernel.shape[-1] == 1 else channels(kernel.shape[-1])
                keep = [slice(None)] * len(kernel.shape)
                keep[0], keep[-1] = slice(None if depthwise else outputs), slice(inputs)
                _cut(parsed, kernel, tuple(keep), np.int8)
                _cut(parsed, bias, (slice(outputs),), np.int32)
                for tensor in (kernel, bias):
                    tensor.quantization.scale = tensor.quantization.scale[:outputs]
                    tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:outputs]
                _resize(graph.tensors[op.outputs[0]], outputs)
            elif len(graph.tensors[op.inputs[0]].shape) == 4 and op is not graph.operators[0]:
                _resize(graph.tensors[op.outputs[0]], graph.tensors[op.inputs[0]].shape[-1])
            elif op is graph.operators[-1]:
                _resize(graph.tensors[op.outputs[0]], classes)
        parsed.signatureDefs = []

    return edit


def random_weights(seed: int, loudness: float = 1.0) -> Edit:
    """Return the change to full-scale random weights and biases, with scales such that much saturates."""

    def edit(parsed: Any) -> None:
        rng = np.random.default_rng(seed)
        graph = parsed.subgraphs[0]
        for op in graph.operators:
            if len(op.inputs) == 3:
                kernel, bias = (graph.tensors[i] for i in op.inputs[1:])
                taps = int(np.prod(kernel.shape[1:])) if kernel.shape[0] > 1 else 9
                _store(parsed, kernel, rng.integers(-127, 128, kernel.shape, np.int8))
                _store(parsed, bias, rng.integers(-9000, 9000, bias.shape, np.int32))
                entry, output = (
                    graph.tensors[i].quantization.scale[0] for i in (op.inputs[0], op.outputs[0])
                )
                quiet = 0.05 if len(kernel.shape) == 2 else loudness
                steps = output / entry / taps**0.5 * rng.uniform(0.002, 0.2 * quiet, bias.shape[0])
                kernel.quantization.scale = steps.astype(np.float32)
                bias.quantization.scale = (steps * entry).astype(np.float32)
        parsed.signatureDefs = []

    return edit


def sigmoid(parsed: Any) -> None:
    """Change the softmax to a logistic function."""
    op = operator(parsed, "SOFTMAX")
    code = parsed.operatorCodes[op.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.LOGISTIC
    op.builtinOptionsType, op.builtinOptions = 0, None


def head_of(parsed: Any) -> None:
    """Keep what follows the last convolution."""
    graph = parsed.subgraphs[0]
    graph.inputs = [operator(parsed, "MEAN").inputs[0]]
    graph.operators = graph.operators[-3:]
    parsed.signatureDefs = []


def logits_in(scale: float, zero_point: int) -> Edit:
    """Return the change to other steps of the logits."""

    def edit(parsed: Any) -> None:
        quantization = tensors(parsed, "FULLY_CONNECTED")[-1].quantization
        quantization.scale, quantization.zeroPoint = [scale], [zero_point]

    return edit


def factor_in(kind: str, number: int, factor: float) -> Edit:
    """Return the change to a layer whose first channel's sums become values by this factor."""

    def edit(parsed: Any) -> None:
        entry, kernel, _, output = tensors(parsed, kind, number)
        first = factor * output.quantization.scale[0] / entry.quantization.scale[0]
        kernel.quantization.scale = np.append(np.float32(first), kernel.quantization.scale[1:])

    return edit


def activation_of(count: int) -> Edit:
    """Return the change to the last layer alone, for many logits at a time."""

    def edit(parsed: Any) -> None:
        graph = parsed.subgraphs[0]
        graph.operators = graph.operators[-1:]
        graph.inputs = graph.operators[0].inputs
        for index in (*graph.inputs, *graph.outputs):
            graph.tensors[index].shape = [count, graph.tensors[index].shape[1]]
        parsed.signatureDefs = []

    return edit


def store_first(parsed: Any, tensor: Any, kind: type[np.generic], value: int) -> None:
    """Change the first of a tensor's values."""
    values = _values(parsed, tensor, kind).copy()
    values.flat[0] = value
    _store(parsed, tensor, values)


def _values(parsed: Any, tensor: Any, kind: type[np.generic]) -> Any:
    return np.frombuffer(bytes(parsed.buffers[tensor.buffer].data), kind).reshape(tensor.shape)


def _resize(tensor: Any, channels: int) -> None:
    tensor.shape = [*tensor.shape[:-1], channels]


def _cut(parsed: Any, tensor: Any, keep: tuple[slice, ...], kind: type[np.generic]) -> None:
    _store(parsed, tensor, np.ascontiguousarray(_values(parsed, tensor, kind)[keep]))


def _store(parsed: Any, tensor: Any, values: Any) -> None:
    tensor.shape = list(values.shape)
    # Equal biases share a buffer in the file.
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    parsed.buffers.append(buffer)
    tensor.buffer = len(parsed.buffers) - 1
