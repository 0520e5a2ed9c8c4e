"""What is read from an int8 model is the network that it was made from, but for a step of eight bits."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import warnings
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.audio import demo_sounds
from aed_daemon.errors import ModelError
from aed_daemon.inference import available_engines
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import BATCH_NORM_EPSILON, YAMNET_256
from model_tools.evaluation.clips import Engine, clip_patches, int8_scores
from model_tools.quantize import convert
from model_tools.tflite_weights import read_model, weights_of
from model_tools.training.activation import Activation, probabilities
from model_tools.training.network import arrays, build, from_arrays

SOUNDS = ("dog", "rooster", "crying_baby", "rain", "clock_tick", "helicopter", "siren", "speech")


@pytest.fixture(scope="module")
def patches() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    sounds = [getattr(demo_sounds, name)(rng, 3.0).astype(np.float32) * 0.3 for name in SOUNDS]
    return np.concatenate([clip_patches(sound, SPEC) for sound in sounds])


@pytest.mark.parametrize("engine", available_engines())
def test_the_default_model_gives_the_same_in_floats(patches: NDArray[np.float32], engine: Engine) -> None:
    network = from_arrays(read_model(DEFAULT_MODEL, SPEC)).eval()
    expected = probabilities(network, patches)
    with int8_scores(DEFAULT_MODEL, engine) as (scores, _):
        found = scores(patches)
    step = load_manifest(DEFAULT_MODEL).output.scale
    difference = np.abs(found - expected)
    assert np.ptp(expected.max(axis=0)) > 0.3, "the patches say nothing"
    assert np.median(difference) <= step
    assert np.percentile(difference, 90) <= 8 * step
    assert np.mean(found.argmax(1) == expected.argmax(1)) >= 0.9


def random_network() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(7)
    weights = dict(arrays(build(5, YAMNET_256.widened(0.5), seed=2)))
    for name in YAMNET_256.widened(0.5).layers:
        shape = weights[f"{name}/beta"].shape
        weights[f"{name}/beta"] = rng.normal(0.2, 0.3, shape).astype(np.float32)
        weights[f"{name}/mean"] = rng.normal(0.0, 0.3, shape).astype(np.float32)
        weights[f"{name}/variance"] = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    weights["logits/bias"] = rng.normal(0.0, 1.0, 5).astype(np.float32)
    return weights


def quantised(activation: Activation) -> bytes:
    warnings.simplefilter("ignore")
    shape = (24, SPEC.patch_frames, SPEC.n_mels)
    patches = np.random.default_rng(0).normal(-2.0, 2.0, shape).astype(np.float32)
    return convert(random_network(), SPEC, patches, activation)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_network_survives_quantisation_and_reading(activation: Activation, tensorflow: Executor) -> None:
    before = random_network()
    after = weights_of(tensorflow.submit(quantised, activation).result())
    assert sorted(after) == sorted(before)
    for name in YAMNET_256.layers:
        spread = np.sqrt(before[f"{name}/variance"] + np.float32(BATCH_NORM_EPSILON))
        # Keras has the channels of a depthwise kernel before its last axis.
        folded = before[f"{name}/kernel"] / (spread[:, None] if name.endswith("depthwise") else spread)
        axes = (0, 1, 3) if name.endswith("depthwise") else (0, 1, 2)
        step = np.abs(folded).max(axis=axes, keepdims=True) / 127.0
        assert np.all(np.abs(after[f"{name}/kernel"] - folded) <= 0.51 * step), name
        beta = before[f"{name}/beta"] - before[f"{name}/mean"] / spread
        np.testing.assert_allclose(after[f"{name}/beta"], beta, atol=1e-3, err_msg=name)
    np.testing.assert_allclose(after["logits/kernel"], before["logits/kernel"], atol=2e-3)
    np.testing.assert_allclose(after["logits/bias"], before["logits/bias"], atol=1e-3)


def float_model() -> bytes:
    import tensorflow as tf

    warnings.simplefilter("ignore")
    dense = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(2)])
    return bytes(tf.lite.TFLiteConverter.from_keras_model(dense).convert())


def test_another_graph_is_refused(tensorflow: Executor) -> None:
    with pytest.raises(ModelError, match=r"expected an int8 Yamnet-256, got float32 in the tensor "):
        weights_of(tensorflow.submit(float_model).result())


def other_stride(fields: tuple[int, ...]) -> bytes:
    """The default model, its second depthwise convolution said to have stride 1 in some directions."""
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(DEFAULT_MODEL.read_bytes())
    operator = schema.Model.GetRootAsModel(data, 0).Subgraphs(0).Operators(4)
    table = operator.BuiltinOptions()
    options = schema.DepthwiseConv2DOptions()
    options.Init(table.Bytes, table.Pos)
    assert (options.StrideW(), options.StrideH()) == (2, 2)
    for field in fields:
        struct.pack_into("<i", data, options._tab.Pos + options._tab.Offset(field), 1)
    return bytes(data)


@pytest.mark.parametrize(
    ("fields", "told"),
    [((6,), r"stride \(2, 1\) in DEPTHWISE_CONV_2D as operator 5"), ((6, 8), "stride 1 in layer3_depthwise")],
)
def test_another_stride_is_refused(fields: tuple[int, ...], told: str) -> None:
    with pytest.raises(ModelError, match=f"expected an int8 Yamnet-256, got {told}"):
        weights_of(other_stride(fields))


@pytest.mark.parametrize("length", [12, 100, 5_000, 60_000])
def test_a_file_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ModelError, match="not the network that can be trained here"):
        weights_of(DEFAULT_MODEL.read_bytes()[:length], where="short.tflite")


def test_a_model_without_manifest_or_of_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such manifest"):
        read_model(tmp_path / "none.tflite", SPEC)
    for suffix in (".tflite", ".json"):
        shutil.copy(DEFAULT_MODEL.with_suffix(suffix), tmp_path)
    with pytest.raises(ModelError, match="other features"):
        read_model(tmp_path / DEFAULT_MODEL.name, replace(SPEC, fmin_hz=SPEC.fmin_hz + 1.0))


def test_reading_loads_neither_tensorflow_nor_an_engine() -> None:
    code = (
        "import sys\nfrom aed_daemon.manifest import DEFAULT_MODEL\n"
        "from model_tools.tflite_weights import weights_of\n"
        "weights_of(DEFAULT_MODEL.read_bytes())\n"
        "print([m for m in ('tensorflow', 'keras', 'tflite_runtime', 'torch', 'ai_edge_litert.interpreter')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
