"""Equalised weights: the same function in floats, and a smaller error in eight bits."""

from __future__ import annotations

import warnings
from concurrent.futures import Executor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import YAMNET_256, Arrays
from model_tools.equalisation import equalised
from model_tools.quantization_report import quantization_report
from model_tools.quantize import convert
from model_tools.training.network import arrays, build, from_arrays

SHAPE = YAMNET_256.widened(0.5)
QUIET = 5
"""Channel of each layer that is 40 times smaller than it was."""


@pytest.fixture(scope="module")
def patches() -> NDArray[np.float32]:
    shape = (48, SPEC.patch_frames, SPEC.n_mels)
    return np.random.default_rng(0).normal(-2.0, 2.0, shape).astype(np.float32)


@pytest.fixture(scope="module")
def uneven() -> dict[str, NDArray[np.float32]]:
    """Return a network with channels of very different ranges, one of them silent."""
    rng = np.random.default_rng(7)
    weights = dict(arrays(build(5, SHAPE, seed=2)))
    for name in SHAPE.layers:
        size = weights[f"{name}/beta"].shape
        spread = np.exp(rng.normal(0.0, 1.0, size)).astype(np.float32)
        spread[QUIET] = 1.0 / 40.0
        weights[f"{name}/kernel"] *= spread[:, None] if name.endswith("depthwise") else spread
        weights[f"{name}/beta"] = (spread * rng.normal(0.2, 0.3, size)).astype(np.float32)
        weights[f"{name}/mean"] = (spread * rng.normal(0.0, 0.3, size)).astype(np.float32)
    weights["layer3_pointwise/beta"][0] = -1e6
    return weights


def logits(weights: Arrays, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        found: torch.Tensor = from_arrays(weights).eval()(torch.from_numpy(patches))
    return np.asarray(found)


def ranges(weights: Arrays, patches: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    network = from_arrays(weights).eval()
    heard: list[torch.Tensor] = []
    network.named_layers()[name].register_forward_hook(lambda _layer, _given, got: heard.append(got))
    with torch.no_grad():
        network(torch.from_numpy(patches))
    return heard[0].amax((0, 2, 3)).numpy()


def test_the_function_stays_the_same(
    uneven: dict[str, NDArray[np.float32]], patches: NDArray[np.float32]
) -> None:
    before = {name: values.copy() for name, values in uneven.items()}
    after = equalised(uneven, patches)
    assert all(np.array_equal(before[name], uneven[name]) for name in before)
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    expected = logits(uneven, patches)
    np.testing.assert_allclose(logits(after, patches), expected, atol=1e-4 * np.abs(expected).max())


def test_channels_before_a_depthwise_layer_get_one_range(
    uneven: dict[str, NDArray[np.float32]], patches: NDArray[np.float32]
) -> None:
    after = equalised(uneven, patches)
    found = ranges(after, patches, "layer3_pointwise")
    assert found[0] == 0.0
    before = ranges(uneven, patches, "layer3_pointwise")
    reachable = (before > 0) & (before > before.max() / 60.0)
    assert reachable.sum() > len(found) // 2
    assert np.ptp(found[reachable]) <= 0.01 * found.max()
    assert before.max() / before[reachable].min() > 5.0


def error_db(weights: Arrays, patches: NDArray[np.float32]) -> float:
    warnings.simplefilter("ignore")
    model = convert(weights, SPEC, patches)
    return next(
        layer.sqnr_db
        for layer in quantization_report(model, weights, patches, SPEC)
        if layer.layer == "logits"
    )


def test_eight_bits_cost_less(
    uneven: dict[str, NDArray[np.float32]], patches: NDArray[np.float32], tensorflow: Executor
) -> None:
    before = tensorflow.submit(error_db, uneven, patches).result()
    after = tensorflow.submit(error_db, equalised(uneven, patches), patches).result()
    assert after > before + 3.0, (before, after)
