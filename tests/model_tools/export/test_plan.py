"""Plans: the shipped network's figures, and what the C sources cannot walk."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from aed_daemon.errors import ConfigError, ModelError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export.graph import Network, Plane, read_network
from model_tools.export.plan import plan

NETWORK = read_network(DEFAULT_MODEL.read_bytes())


def test_a_patch_needs_two_rows_of_each_stage() -> None:
    walk = plan(NETWORK)
    memory = dict(walk.memory)
    assert memory["ring of layer1_conv"] == 2 * 32 * 32
    assert memory["ring of layer2_pointwise"] == 2 * 32 * 64
    assert memory["ring of layer5_pointwise"] == 2 * 8 * 256
    assert "ring of layer6_pointwise" not in memory
    # 16 columns of 64 and of 128 channels, two bytes each.
    assert memory["scratch"] == 2 * 16 * (64 + 128)
    assert walk.ram_bytes == sum(memory.values()) <= 26_000
    assert walk.weights_bytes == 133_504 + 4 * 1_483


def test_macs_are_counted_by_layer() -> None:
    walk = plan(NETWORK)
    assert walk.macs["layer1_conv"] == 48 * 32 * 32 * 9
    assert walk.macs["layer6_pointwise"] == 12 * 8 * 256 * 256
    assert walk.macs["logits"] == 256 * 11
    assert sum(walk.macs.values()) == 23_902_976
    assert walk.macs_per_s == pytest.approx(23_902_976 * 100 / 24)


@pytest.mark.parametrize(
    ("hop_frames", "share", "patches"),
    [(8, 0.317, 9), (16, 0.400, 5), (24, 0.484, 3), (48, 0.734, 2), (96, 1.234, 1)],
)
def test_overlapping_patches_share_most_rows(hop_frames: int, share: float, patches: int) -> None:
    walk = plan(NETWORK, "incremental", hop_frames)
    made = walk.macs_per_decision()
    assert made.keys() == walk.macs.keys()
    assert sum(made.values()) / 23_902_976 == pytest.approx(share, abs=5e-4)
    assert walk.patches == patches
    assert walk.common_rows == (2, 9)
    assert walk.ram_bytes <= 62_000


def test_a_stream_decides_with_each_row() -> None:
    walk = plan(NETWORK, "stream")
    assert walk.row_frames == 8
    # Six columns of context on either side of the last layer's rows become 21 frames behind the patch.
    assert walk.delay_frames == 21
    assert walk.macs_per_s == pytest.approx(24.9e6, rel=0.01)
    assert walk.ram_bytes <= 33_000
    assert plan(NETWORK).delay_frames == 0


def test_a_short_hop_matters_where_patches_overlap_alone() -> None:
    assert plan(NETWORK, "stream", 3).macs_per_s == plan(NETWORK, "stream").macs_per_s
    assert plan(NETWORK, "patch", 3).macs_per_s == pytest.approx(23_902_976 * 100 / 3)


@pytest.mark.parametrize("hop_frames", [0, 12, 104, -8])
def test_patches_overlap_by_whole_rows(hop_frames: int) -> None:
    with pytest.raises(ConfigError, match=f"a hop of {hop_frames} frames: expected a multiple of 8 up to 96"):
        plan(NETWORK, "incremental", hop_frames)


def with_layer(number: int, **changes: object) -> Network:
    layers = list(NETWORK.convolutions)
    layers[number] = replace(layers[number], **changes)  # type: ignore[arg-type]
    return replace(NETWORK, convolutions=tuple(layers))


def plane(number: int, **changes: object) -> Plane:
    return dataclasses.replace(NETWORK.convolutions[number].output, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (replace(NETWORK, convolutions=NETWORK.convolutions[:1]), "got 1 convolutions"),
        (replace(NETWORK, convolutions=NETWORK.convolutions[:4]), "got 4 convolutions"),
        (with_layer(3, relu=False), "expected a ReLU.*behind layer3_depthwise"),
        (with_layer(2, output=plane(2, zero_point=-100)), "zero point -100 behind layer2_pointwise"),
        (with_layer(4, output=plane(4, channels=60)), "16 columns of 60 channels behind layer3_pointwise"),
        (with_layer(4, output=plane(4, columns=20)), "20 columns of 128 channels"),
        (with_layer(3, before=(1, 0)), "an odd number of rows or columns before layer3_depthwise"),
        (with_layer(0, stride=1, before=(1, 1)), "got 1 channels, stride 1 in layer1_conv"),
        (with_layer(10, output=plane(10, rows=40)), "a mean over 40 x 8 values"),
        (with_layer(10, output=plane(10, scale=0.5)), "a mean with a scale of its own"),
    ],
)
def test_what_the_sources_cannot_walk_is_refused(network: Network, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        plan(network)
    assert "expected" in str(caught.value)
