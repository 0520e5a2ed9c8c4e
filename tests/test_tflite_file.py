"""Every model of the project passes; a file that is cut short, contradicts itself or wants more does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from aed_daemon.errors import ModelError
from aed_daemon.manifest import DEFAULT_MODEL
from aed_daemon.tflite_file import check_tflite

ROOT = Path(__file__).parents[1]
SHIPPED = DEFAULT_MODEL.read_bytes()


def rewritten(change: Callable[[Any, Any], None]) -> bytes:
    """Return the shipped model after a change to its model or its graph, well formed as a file."""
    model = schema.ModelT.InitFromPackedBuf(SHIPPED, 0)
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder(len(SHIPPED))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def refusal(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        check_tflite(data, "m.tflite")
    assert caught.value.where == "m.tflite"
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("evaluation/**/*.tflite")), ids=lambda path: path.stem)
def test_models_that_were_made_for_the_daemon_pass(path: Path) -> None:
    check_tflite(path.read_bytes(), path.name)


def test_rewriting_alone_changes_nothing() -> None:
    check_tflite(SHIPPED, "m.tflite")
    check_tflite(rewritten(lambda *_: None), "m.tflite")


@pytest.mark.parametrize("part", range(0, 100, 3))
def test_a_file_that_is_cut_short_is_refused(part: int) -> None:
    assert "damaged" in refusal(SHIPPED[: len(SHIPPED) * part // 100])


def set_option(name: str, value: int) -> Callable[[Any, Any], None]:
    def change(model: Any, graph: Any) -> None:
        convolution = next(o for o in graph.operators if isinstance(o.builtinOptions, schema.Conv2DOptionsT))
        setattr(convolution.builtinOptions, name, value)

    return change


def other_operator(name: str) -> Callable[[Any, Any], None]:
    def change(model: Any, graph: Any) -> None:
        code = model.operatorCodes[graph.operators[-1].opcodeIndex]
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)

    return change


def weights(model: Any, graph: Any) -> Any:
    (convolution, *_) = [o for o in graph.operators if isinstance(o.builtinOptions, schema.Conv2DOptionsT)]
    return graph.tensors[convolution.inputs[1]]


def change_of(name: str, value: Any) -> Callable[[Any, Any], None]:
    return lambda model, graph: setattr(weights(model, graph), name, value)


def fewer_weights(model: Any, graph: Any) -> None:
    buffer = model.buffers[weights(model, graph).buffer]
    buffer.data = buffer.data[:-1]


def without_scales(model: Any, graph: Any) -> None:
    quantization = weights(model, graph).quantization
    quantization.scale = quantization.scale[:-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model, _: setattr(model, "version", 4), "version of the format"),
        (lambda model, graph: model.subgraphs.append(graph), "2 graphs"),
        (lambda _, graph: setattr(graph, "outputs", [9_999]), "tensor 9999 of"),
        (lambda _, graph: setattr(graph, "inputs", []), "takes what nothing has made"),
        (lambda _, graph: graph.operators.pop(), "nothing makes tensor"),
        (lambda _, graph: graph.operators.reverse(), "takes what nothing has made"),
        (lambda _, graph: graph.operators.append(graph.operators[-1]), "writes over what is there"),
        (lambda _, graph: setattr(graph.operators[3], "opcodeIndex", 77), "operator code 77"),
        (lambda _, graph: setattr(graph.operators[3], "inputs", [-1]), "takes 1 tensors"),
        (lambda _, graph: setattr(graph.operators[1], "customOptions", [1]), "settings of its own"),
        (lambda _, graph: setattr(graph.operators[0], "inputs", [0, 0]), "takes input 1 from what is heard"),
        (
            lambda _, graph: setattr(graph.operators[2], "inputs", graph.operators[2].inputs[:2]),
            "DEPTHWISE_CONV_2D, operator 3, takes 2 tensors",
        ),
        (set_option("strideH", 0), "setting 2 is 0"),
        (set_option("strideH", -1), "setting 2 is -1"),
        (set_option("padding", 5), "setting 0 is 5"),
        (set_option("fusedActivationFunction", 4), "setting 3 is 4"),
        (other_operator("CUSTOM"), "operator 32"),
        (other_operator("WHILE"), "operator 119"),
        (change_of("shape", [2**20, 2**20]), "bytes"),
        (change_of("shape", [0, 3, 3, 1]), "has the shape"),
        (change_of("buffer", 999), "buffer 999 of"),
        (change_of("type", 5), "type 5"),
        (change_of("isVariable", True), "a variable"),
        (fewer_weights, "does not fill its shape"),
        (without_scales, "scales"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(change: Callable[[Any, Any], None], words: str) -> None:
    assert words in refusal(rewritten(change))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_are_above_0(scale: float) -> None:
    def change(model: Any, graph: Any) -> None:
        quantization = weights(model, graph).quantization
        quantization.scale = [scale, *quantization.scale[1:]]

    assert "scale" in refusal(rewritten(change))


def test_a_text_without_an_end_is_refused() -> None:
    at = SHIPPED.index(b"\0", SHIPPED.index(b"serving_default"))
    assert "no end" in refusal(SHIPPED[:at] + b"x" + SHIPPED[at + 1 :])


def test_a_text_that_python_cannot_read_is_refused() -> None:
    at = SHIPPED.index(b"serving_default")
    assert "not UTF-8" in refusal(SHIPPED[:at] + b"\xff" + SHIPPED[at + 1 :])
