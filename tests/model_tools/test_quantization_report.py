from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import YAMNET_256
from model_tools.quantization_report import LayerError, quantization_report
from model_tools.quantize import convert
from model_tools.training.network import arrays, build


def report(scale: float) -> list[LayerError]:
    """Quantise a network on quiet patches and report on ones `scale` times as far from the mean."""
    weights = arrays(build(4, YAMNET_256.widened(0.25), seed=1))
    shape = (24, SPEC.patch_frames, SPEC.n_mels)
    patches = np.random.default_rng(0).normal(-4.0, 1.0, shape).astype(np.float32)
    model = convert(weights, SPEC, patches)
    return quantization_report(model, weights, -4.0 + scale * (patches + 4.0), SPEC)


@pytest.fixture(scope="module")
def fitting(tensorflow: Executor) -> list[LayerError]:
    return tensorflow.submit(report, 1.0).result()


def test_every_layer_is_there_in_order(fitting: list[LayerError]) -> None:
    names = [layer.layer for layer in fitting]
    assert names[:3] == ["patch", "layer1_conv_relu", "layer2_depthwise_relu"]
    assert names[-3:] == ["embedding", "logits", "softmax"]
    assert [layer.operator for layer in fitting][-3:] == ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert len(fitting) == 15


def test_what_fits_is_not_saturated_and_errs_little(fitting: list[LayerError]) -> None:
    for layer in fitting:
        assert layer.saturated == 0.0, layer.layer
        assert layer.sqnr_db > 12.0, layer.layer
        assert layer.low <= layer.found_low + layer.scale, layer.layer
    assert fitting[0].sqnr_db > 40.0


def test_what_does_not_fit_is_seen(fitting: list[LayerError], tensorflow: Executor) -> None:
    wild = tensorflow.submit(report, 4.0).result()
    assert wild[0].saturated > 0.01
    assert wild[0].sqnr_db < fitting[0].sqnr_db - 6.0
