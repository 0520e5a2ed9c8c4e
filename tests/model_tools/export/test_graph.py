"""Reading .tflite files: the layers of what can be exported, a clear no to the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.errors import ModelError
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.architecture import YAMNET_256
from model_tools.export.graph import Network, read_network
from tests.model_tools.export.made_models import Edit, edited, narrowed, operator, schema, sigmoid, tensors
from tests.test_inference import without_transpose

SHIPPED = DEFAULT_MODEL.read_bytes()


def widths(network: Network) -> list[int]:
    return [layer.output.channels for layer in network.convolutions if layer.kind != "depthwise"]


def test_the_shipped_network_is_a_yamnet_256() -> None:
    network, manifest = read_network(SHIPPED), load_manifest(DEFAULT_MODEL)
    assert widths(network) == [YAMNET_256.stem, *(channels for channels, _ in YAMNET_256.blocks)]
    assert [layer.name for layer in network.convolutions] == list(YAMNET_256.layers)
    strides = [layer.stride for layer in network.convolutions if layer.kind == "depthwise"]
    assert strides == [stride for _, stride in YAMNET_256.blocks]
    assert (network.input.rows, network.input.columns, network.input.channels) == (96, 64, 1)
    assert network.input.zero_point == manifest.input.zero_point
    assert network.input.scale == pytest.approx(manifest.input.scale)
    assert network.transposed
    assert network.activation == "softmax"
    assert network.output.channels == len(manifest.labels)
    assert (network.output.scale, network.output.zero_point) == (1 / 256, -128)


def test_layers_follow_each_other() -> None:
    network = read_network(SHIPPED)
    planes = [network.input, *(layer.output for layer in network.convolutions)]
    assert [layer.input for layer in network.convolutions] == planes[:-1]
    assert network.mean[0] == planes[-1]
    assert network.dense.input == network.mean[1]
    for layer in network.convolutions:
        outputs = layer.output.channels
        assert len(layer.weights.bias) == len(layer.weights.scale) == outputs
        assert layer.weights.kernel.shape[3 if layer.kind == "depthwise" else 0] == outputs
        stepped = 2 if layer.stride == 2 else 1
        assert layer.output.rows * stepped == layer.input.rows


def test_padding_is_behind_where_it_is_odd() -> None:
    layers = {layer.name: layer for layer in read_network(SHIPPED).convolutions}
    assert (layers["layer1_conv"].before, layers["layer1_conv"].after) == ((0, 0), (1, 1))
    assert (layers["layer2_depthwise"].before, layers["layer2_depthwise"].after) == ((1, 1), (1, 1))
    assert (layers["layer3_depthwise"].before, layers["layer3_depthwise"].after) == ((0, 0), (1, 1))


def test_weights_are_the_files() -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=SHIPPED)
    network = read_network(SHIPPED)
    details = {tuple(d["shape"]): d for d in interpreter.get_tensor_details() if d["dtype"] == np.int8}
    for layer in (network.convolutions[2], network.dense):
        found = details[layer.weights.kernel.shape]
        assert np.array_equal(interpreter.get_tensor(found["index"]), layer.weights.kernel)
        assert np.array_equal(found["quantization_parameters"]["scales"], layer.weights.scale)


def test_both_layouts_are_the_same_network() -> None:
    turned, plain = read_network(SHIPPED), read_network(without_transpose(SHIPPED))
    assert (turned.transposed, plain.transposed) == (True, False)
    assert plain.input == turned.input
    assert [layer.name for layer in plain.convolutions] == [layer.name for layer in turned.convolutions]


def test_other_widths_and_activations_are_read() -> None:
    network = read_network(edited(narrowed(0.5, 2), sigmoid))
    assert widths(network) == [16, 32, 64, 64, 128, 128]
    assert network.activation == "sigmoid"
    assert network.output.channels == 2


def other_operator(parsed: Any) -> None:
    code = parsed.operatorCodes[operator(parsed, "MEAN").opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.SUM


def other_version(parsed: Any) -> None:
    parsed.operatorCodes[operator(parsed, "SOFTMAX").opcodeIndex].version = 9


def float_layers(parsed: Any) -> None:
    for tensor in (tensors(parsed, "CONV_2D")[0], tensors(parsed, "CONV_2D")[-1]):
        tensor.type = schema().TensorType.FLOAT32


def one_scale_for_all_channels(parsed: Any) -> None:
    quantization = tensors(parsed, "CONV_2D", 1)[1].quantization
    quantization.scale, quantization.zeroPoint = quantization.scale[:1], quantization.zeroPoint[:1]


def weights_with_a_zero_point(parsed: Any) -> None:
    quantization = tensors(parsed, "CONV_2D", 1)[1].quantization
    quantization.zeroPoint = np.append(quantization.zeroPoint[1:], 3)


def no_bias(parsed: Any) -> None:
    op = operator(parsed, "DEPTHWISE_CONV_2D", 1)
    op.inputs = [*op.inputs[:2], -1]


def stride_3(parsed: Any) -> None:
    op = operator(parsed, "DEPTHWISE_CONV_2D")
    op.builtinOptions.strideH = op.builtinOptions.strideW = 3


def valid_padding(parsed: Any) -> None:
    operator(parsed, "DEPTHWISE_CONV_2D", 1).builtinOptions.padding = schema().Padding.VALID


def relu_6(parsed: Any) -> None:
    kind = schema().ActivationFunctionType.RELU6
    operator(parsed, "CONV_2D", 1).builtinOptions.fusedActivationFunction = kind


def dilation(parsed: Any) -> None:
    operator(parsed, "DEPTHWISE_CONV_2D", 2).builtinOptions.dilationHFactor = 2


def two_convolutions_in_a_row(parsed: Any) -> None:
    operator(parsed, "DEPTHWISE_CONV_2D").opcodeIndex = operator(parsed, "CONV_2D").opcodeIndex


def other_beta(parsed: Any) -> None:
    operator(parsed, "SOFTMAX").builtinOptions.beta = 2.0


def mean_over_time(parsed: Any) -> None:
    axes = tensors(parsed, "MEAN")[1]
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(np.array([1, 3], np.int32).tobytes(), np.uint8)
    parsed.buffers.append(buffer)
    axes.buffer = len(parsed.buffers) - 1


def two_graphs(parsed: Any) -> None:
    parsed.subgraphs.append(parsed.subgraphs[0])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (other_operator, "got SUM as operator 13"),
        (other_version, "version 9 of SOFTMAX as operator 15"),
        (float_layers, "expected int8 from input to output.*got float32 in the tensor"),
        (
            one_scale_for_all_channels,
            "expected weights quantised per channel, got 1 scales for the 64 channels",
        ),
        (weights_with_a_zero_point, "a zero point other than 0 in the weights of CONV_2D as operator 4"),
        (no_bias, "DEPTHWISE_CONV_2D as operator 5 without a bias"),
        (stride_3, r"stride \(3, 3\) in DEPTHWISE_CONV_2D as operator 3"),
        (valid_padding, "padding 1 in DEPTHWISE_CONV_2D as operator 5"),
        (relu_6, "activation 3 in CONV_2D as operator 4"),
        (dilation, r"dilation \(2, 1\) in DEPTHWISE_CONV_2D as operator 7"),
        (other_beta, "another beta in SOFTMAX"),
        (mean_over_time, r"the axes \[1, 3\] in MEAN"),
        (two_graphs, "got 2 graphs"),
    ],
)
def test_what_cannot_be_exported_is_named(edit: Edit, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_network(edited(edit), where="x.tflite")
    assert str(caught.value).startswith("x.tflite: ")
    assert caught.value.hint


def test_convolutions_come_in_pairs() -> None:
    with pytest.raises(ModelError):
        read_network(edited(two_convolutions_in_a_row))


@pytest.mark.parametrize("model", [b"", b"TFL3", b"\0" * 400, SHIPPED[::-1]])
def test_what_is_no_tflite_is_refused(model: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        read_network(model)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_told_as_such(data: st.DataObject) -> None:
    damaged = bytearray(SHIPPED)
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(8, len(damaged) - 1)) :]
    # The tables lie before and behind the weights.
    places = st.one_of(st.integers(8, 4_000), st.integers(len(SHIPPED) - 40_000, len(SHIPPED) - 1))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(places)
        if place < len(damaged):
            damaged[place] = data.draw(st.integers(0, 255))
    try:
        network = read_network(bytes(damaged))
    except ModelError:
        return
    assert network.convolutions
