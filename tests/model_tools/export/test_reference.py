"""The network in NumPy against TFLite's reference kernels, layer by layer, and over long inputs."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export.graph import Network, read_network
from model_tools.export.plan import plan
from model_tools.export.reference import walk
from model_tools.export.trace import _by_numpy, _by_tflite, inputs_of


@cache
def network() -> Network:
    return read_network(DEFAULT_MODEL.read_bytes())


def test_every_layer_is_that_of_the_reference_kernels() -> None:
    pytest.importorskip("ai_edge_litert")
    shape, inputs = plan(network(), "patch"), inputs_of(network(), 9)
    reference, theirs = _by_tflite(DEFAULT_MODEL, shape, inputs)
    ours = _by_numpy(shape, inputs)
    assert "BUILTIN_REF" in reference
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        assert np.array_equal(ours[name], expected), name
    assert len(np.unique(ours["scores"])) > 10


def test_a_stream_has_the_rows_of_a_long_patch_but_for_its_end() -> None:
    inputs = inputs_of(network(), 2)
    stream = walk(plan(network(), "stream"), inputs)
    first = walk(plan(network(), "patch"), inputs[:96])
    for name, plane in stream.planes.items():
        # Rows of the first patch that no padding at its end has changed.
        same = len(first.planes[name]) - 4
        assert np.array_equal(plane[:same], first.planes[name][:same]), name


def test_a_stream_does_not_look_ahead() -> None:
    inputs, shape = inputs_of(network(), 2), plan(network(), "stream")
    whole, part = walk(shape, inputs), walk(shape, inputs[:150])
    assert len(part.scores) == (150 - 96 - shape.delay_frames) // 8 + 1
    assert np.array_equal(whole.scores[: len(part.scores)], part.scores)


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_a_stream_that_is_too_short_decides_nothing(frames: int) -> None:
    found = walk(plan(network(), "stream"), np.zeros((frames, 64), np.int8))
    assert found.scores.shape == (0, network().output.channels)


def test_overlapping_patches_are_walked_by_themselves() -> None:
    inputs = inputs_of(network(), 2)[:120]
    found = walk(plan(network(), "incremental", 8), inputs).scores
    alone = [walk(plan(network(), "patch"), inputs[at : at + 96]).scores[0] for at in (0, 8, 16, 24)]
    assert np.array_equal(found, np.array(alone))
