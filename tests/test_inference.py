"""Loading models, refusing what does not fit, and the two tensor layouts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from aed_daemon.errors import ModelError
from aed_daemon.features import log_mel
from aed_daemon.inference import available_engines, load_classifier
from aed_daemon.manifest import DEFAULT_MODEL
from tests.test_detector import bursts

ENGINES: list[Literal["litert", "tflite"]] = ["litert", "tflite"]


def without_transpose(model: bytes) -> bytes:
    """Return the shipped network with its input where the first operator's output was."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = parsed.subgraphs
    first = graph.operators.pop(0)
    code = parsed.operatorCodes[first.opcodeIndex]
    assert code.builtinCode == schema.BuiltinOperator.TRANSPOSE
    graph.inputs = [first.outputs[0]]
    parsed.signatureDefs = []
    builder = flatbuffers.Builder(len(model))
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write(folder: Path, model: bytes, **changes: Any) -> Path:
    """Write a model beside the shipped manifest with changes."""
    path = folder / "m.tflite"
    path.write_bytes(model)
    manifest = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    manifest |= {"file": path.name, "sha256": hashlib.sha256(model).hexdigest(), **changes}
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return path


def shipped() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    return manifest


@pytest.mark.parametrize("engine", ENGINES)
def test_both_layouts_give_the_same_scores(tmp_path: Path, engine: Literal["litert", "tflite"]) -> None:
    if engine not in available_engines():
        pytest.skip(f"{engine} is not installed; make install brings it")
    tensor = {**shipped()["input"], "layout": "frames_mels", "shape": [1, 96, 64, 1]}
    path = write(tmp_path, without_transpose(DEFAULT_MODEL.read_bytes()), input=tensor)
    frames_first, mels_first = load_classifier(path, engine), load_classifier(None, engine)
    rows = log_mel(bursts(5.0), mels_first.manifest.spec)
    scores = [mels_first.scores(rows[at : at + 96]) for at in range(0, len(rows) - 96, 24)]
    again = [frames_first.scores(rows[at : at + 96]) for at in range(0, len(rows) - 96, 24)]
    assert np.array_equal(scores, again)
    assert len(np.unique(scores, axis=0)) > 3


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("input", {"scale": 0.05}, "the input's scale"),
        ("input", {"zero_point": 3}, "the input's zero point"),
        ("output", {"scale": 0.1}, "the output's scale"),
        ("output", {"zero_point": 0}, "the output's zero point"),
        ("input", {"layout": "frames_mels", "shape": [1, 96, 64, 1]}, "the input's shape"),
    ],
)
def test_tensors_must_be_the_manifests(tmp_path: Path, part: str, change: dict[str, Any], words: str) -> None:
    path = write(tmp_path, DEFAULT_MODEL.read_bytes(), **{part: {**shipped()[part], **change}})
    with pytest.raises(ModelError, match=words) as caught:
        load_classifier(path)
    assert caught.value.exit_code == 3
    assert caught.value.expected != caught.value.got


def test_too_few_labels_are_noticed(tmp_path: Path) -> None:
    manifest = shipped()
    fewer = {"labels": manifest["labels"][:-1], "output": {**manifest["output"], "shape": [1, 10]}}
    with pytest.raises(ModelError, match="the output's shape"):
        load_classifier(write(tmp_path, DEFAULT_MODEL.read_bytes(), **fewer))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_header_with_nothing_behind_it_is_refused(
    tmp_path: Path, engine: Literal["litert", "tflite"]
) -> None:
    if engine not in available_engines():
        pytest.skip(f"{engine} is not installed; make install brings it")
    with pytest.raises(ModelError, match="the model is damaged"):
        load_classifier(write(tmp_path, b"\x00\x00\x00\x00TFL3" + bytes(100)), engine)


def test_auto_takes_the_first_engine_there_is() -> None:
    assert load_classifier().engine == available_engines(DEFAULT_MODEL)[0]
    assert [load_classifier(engine=engine).exact for engine in available_engines()] == [
        engine == "tflite" for engine in available_engines()
    ]


@pytest.mark.parametrize("engine", available_engines())
def test_an_engine_has_the_thresholds_that_were_calibrated_for_its_kind(
    tmp_path: Path, engine: Literal["litert", "tflite"]
) -> None:
    labels = shipped()["labels"]
    labels[0] = labels[0] | {"xnnpack": {"threshold_on": 0.9, "threshold_off": 0.8}}
    model = write(tmp_path, DEFAULT_MODEL.read_bytes(), labels=labels)
    used = load_classifier(model, engine).manifest.labels[0].threshold_on
    assert used == (0.9 if engine == "litert" else labels[0]["threshold_on"])
