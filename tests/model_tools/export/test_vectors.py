from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.features import log_mel
from aed_daemon.inference import quantize
from aed_daemon.manifest import DEFAULT_MODEL, TensorSpec, load_manifest
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.export import known_sound
from model_tools.export.dc_blocker import FixedDcBlocker, as_floats
from model_tools.export.known_sound import Block, Generator, distinct, noise_rows
from model_tools.export.vectors import scene, sound

INPUT = load_manifest(DEFAULT_MODEL).input
FINE = TensorSpec(shape=(1,), dtype="int8", scale=0.02, zero_point=100)


def nearest_edge(blocks: list[Block], tensor: TensorSpec) -> float:
    heard = FixedDcBlocker(SPEC.sample_rate_hz).push(sound(blocks, SPEC))
    rows = log_mel(as_floats(heard, SPEC.pcm_full_scale), SPEC).astype(np.float64)
    steps = rows / np.float32(tensor.scale) + tensor.zero_point
    inside = (steps > -127.6) & (steps < 126.6)
    return float(np.abs(steps - np.floor(steps) - 0.5)[inside].min())


@pytest.mark.parametrize("tensor", [INPUT, FINE])
def test_no_band_lies_on_an_edge(tensor: TensorSpec) -> None:
    blocks = scene(SPEC)
    moved = distinct(blocks, SPEC, tensor)
    assert nearest_edge(blocks, tensor) < 1e-3 <= nearest_edge(moved, tensor) + 1e-5
    assert len(moved) == len(blocks)
    pairs = list(zip(blocks, moved, strict=True))
    assert all(before.noise <= after.noise <= 1.05 * before.noise + 5 for before, after in pairs)
    assert all(before.wave <= after.wave <= 1.05 * before.wave + 5 for before, after in pairs)
    assert sum(before == after for before, after in pairs) > 0.6 * len(blocks)


def test_the_generator_is_the_recurrence() -> None:
    generator, block = Generator(5), Block(40_000, 9_000, 3_000)
    state, phase, expected = 0, 0, []
    for _ in range(10):
        state = (1664525 * state + 1013904223) % 2**32
        phase = (phase + (3_000 << 16)) % 2**32
        noise = (state >> 16) * 40_000 // 65_536 - 20_000
        expected.append(noise + (phase >> 16) * 9_000 // 65_536 - 4_500)
    first = generator.made(block)
    generator.go_on(block)
    assert [*first, *generator.made(block)] == expected


def test_a_loud_block_clips() -> None:
    made = Generator(160).made(Block(65_535, 65_535, 900))
    assert made.min() == -32_768
    assert made.max() == 32_767


def test_rows_of_noise_go_on() -> None:
    rows = noise_rows(0, 4, 64)
    state = 0
    for _ in range(2 * 64):
        state = (state * 1664525 + 1013904223) % 2**32
    assert np.array_equal(noise_rows(state, 2, 64), rows[2:])
    assert rows.min() < -120
    assert rows.max() > 120


def test_what_cannot_be_moved_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_sound, "_TRIES", 0)
    blocks = scene(SPEC)[:50]
    assert distinct(blocks, SPEC, INPUT) == blocks


def test_the_sound_reaches_much_of_the_input() -> None:
    blocks = distinct(scene(SPEC), SPEC, INPUT)
    rows = quantize(
        log_mel((sound(blocks, SPEC) / 32_768).astype(np.float32), SPEC), INPUT.scale, INPUT.zero_point
    )
    assert len(np.unique(rows)) > 150
