"""The network that trains and the one that is converted compute the same."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.architecture import YAMNET_256, Arrays, architecture_of
from model_tools.model import build as build_keras
from model_tools.training.folded import Folded
from model_tools.training.network import Yamnet, arrays, build, from_arrays, load_arrays


def lively(outputs: int = 5, width: float = 1.0) -> Yamnet:
    """Return a network whose statistics are not those of a fresh one."""
    network = build(outputs, YAMNET_256.widened(width), seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for layer in network.named_layers().values():
            layer.beta.normal_(0.0, 0.5, generator=generator)
            layer.mean.normal_(0.0, 0.3, generator=generator)
            layer.variance.uniform_(0.5, 2.0, generator=generator)
        network.logits.bias.normal_(0.0, 1.0, generator=generator)
    return network.eval()


def patches(count: int = 3) -> NDArray[np.float32]:
    return (
        np.random.default_rng(1).normal(-3.0, 2.0, (count, SPEC.patch_frames, SPEC.n_mels)).astype(np.float32)
    )


def keras_logits(weights: Arrays, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    network: Any = build_keras(SPEC, weights)
    return np.asarray(network(patches[..., None], training=False))


@pytest.mark.parametrize("width", [1.0, 0.5])
def test_keras_gives_the_same_logits(width: float, tensorflow: Executor) -> None:
    network = lively(width=width)
    with torch.inference_mode():
        ours = network(torch.from_numpy(patches())).numpy()
    theirs = tensorflow.submit(keras_logits, arrays(network), patches()).result()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_weights_survive_the_way_out_and_back() -> None:
    network = lively()
    stored = arrays(network)
    again = arrays(from_arrays(stored))
    assert stored.keys() == again.keys()
    for name, values in stored.items():
        np.testing.assert_array_equal(values, again[name])


def test_the_widths_are_read_from_the_weights() -> None:
    assert architecture_of(arrays(build(3, YAMNET_256, seed=1))) == YAMNET_256
    assert architecture_of(arrays(build(3, YAMNET_256.widened(0.5), seed=1))) == YAMNET_256.widened(0.5)


def test_the_network_has_yamnet_256s_size() -> None:
    network = build(11, YAMNET_256, seed=1)
    kernels = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    assert 125_000 < kernels < 135_000


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (arrays(build(3, YAMNET_256, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["layer1_conv/kernel"], again["layer1_conv/kernel"])
    assert not np.array_equal(first["layer1_conv/kernel"], other["layer1_conv/kernel"])


def test_it_can_learn_a_batch_by_heart() -> None:
    network = build(4, YAMNET_256.widened(0.25), seed=1).train()
    inputs, labels = torch.from_numpy(patches(8)), torch.arange(8) % 4
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(inputs), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_weights_of_another_network_are_refused() -> None:
    stored = arrays(build(3, YAMNET_256, seed=1))
    with pytest.raises(ModelError, match="logits/kernel have another shape"):
        load_arrays(build(4, YAMNET_256, seed=1), stored)
    del stored["layer3_pointwise/beta"]
    with pytest.raises(ModelError, match="lack layer3_pointwise/beta"):
        load_arrays(build(3, YAMNET_256, seed=1), stored)


@pytest.mark.parametrize("width", [1.0, 0.5])
def test_the_folded_network_is_of_the_same_opinion(width: float) -> None:
    network, shown = lively(width=width), torch.from_numpy(patches(16))
    with torch.no_grad():
        expected, found = network(shown), Folded(network)(shown)
    assert found.dtype == torch.float32
    spread = float(expected.std())
    assert float((found - expected).abs().max()) < 0.03 * spread
    assert float((found - expected).abs().max()) > 0.0
