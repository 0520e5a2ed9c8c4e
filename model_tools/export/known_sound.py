"""A sound that needs no recording: noise and a sawtooth, block by block; `aed_selftest.c` makes the same."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import MelStream
from aed_daemon.manifest import TensorSpec
from aed_daemon.spec import FeatureSpec
from model_tools.export.dc_blocker import FixedDcBlocker, as_floats

_MULTIPLIER, _INCREMENT = 1664525, 1013904223
_MASK = (1 << 32) - 1

_CLEARANCE = 1e-3
"""Of a step: so far is every band from where rounding changes its mind. Front ends in float32 and in fixed
point err less."""

_TRIES = 200


class Block(NamedTuple):
    """10 ms of sound.

    Attributes
    ----------
    noise, wave : int
        Amplitudes from peak to peak, 0 to 65535.
    step : int
        Of the sawtooth's phase from sample to sample, 2^-16 cycles.
    """

    noise: int
    wave: int
    step: int


class Generator:
    """Makes blocks one after the other, of `samples` samples each."""

    def __init__(self, samples: int) -> None:
        factors, offsets = [1], [0]
        for _ in range(samples):
            factors.append(factors[-1] * _MULTIPLIER & _MASK)
            offsets.append((offsets[-1] * _MULTIPLIER + _INCREMENT) & _MASK)
        self._factors = np.array(factors[1:], np.uint64)
        self._offsets = np.array(offsets[1:], np.uint64)
        self._counts = np.arange(1, samples + 1, dtype=np.uint64)
        self.noise = self.phase = 0

    def made(self, block: Block) -> NDArray[np.int16]:
        """Return a block's samples, int16, without going on."""
        noise = (self._factors * np.uint64(self.noise) + self._offsets) & np.uint64(_MASK)
        phase = (np.uint64(self.phase) + self._counts * np.uint64(block.step << 16)) & np.uint64(_MASK)
        total = _scaled(noise, block.noise) + _scaled(phase, block.wave)
        return np.clip(total, -32_768, 32_767).astype(np.int16)

    def go_on(self, block: Block) -> None:
        """Let the block be over."""
        self.noise = int(self._factors[-1]) * self.noise + int(self._offsets[-1]) & _MASK
        self.phase = self.phase + len(self._counts) * (block.step << 16) & _MASK


def noise_rows(first: int, count: int, n_mels: int) -> NDArray[np.int8]:
    """Return rows for the network from the same noise, int8 (count, n_mels); `first` is its state."""
    state, values = first, []
    for _ in range(count * n_mels):
        state = (state * _MULTIPLIER + _INCREMENT) & _MASK
        values.append(state)
    return _scaled(np.array(values, np.uint64), 255).astype(np.int8).reshape(count, n_mels)


def _scaled(numbers: NDArray[np.uint64], amplitude: int) -> NDArray[np.int64]:
    """Return the upper halves of numbers of 32 bits as numbers from -amplitude / 2 to amplitude / 2."""
    upper = numbers >> np.uint64(16)
    return (upper * np.uint64(amplitude) >> np.uint64(16)).astype(np.int64) - amplitude // 2


def distinct(blocks: Sequence[Block], spec: FeatureSpec, tensor: TensorSpec) -> list[Block]:
    """Return the blocks, slightly louder where a band would lie on the edge between two int8 values.

    Front ends that are right, whatever their arithmetic, then give the same values.
    """
    generator, stream, chosen = Generator(spec.hop_length), _Rows(spec), []
    for block in blocks:
        tried = block
        for _ in range(_TRIES):
            if _clear(stream.next(generator.made(tried)), tensor):
                break
            tried = _louder(tried)
        stream.take(generator.made(tried))
        generator.go_on(tried)
        chosen.append(tried)
    return chosen


class _Rows:
    """The row that a block would complete."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec = spec
        self._blocker = FixedDcBlocker(spec.sample_rate_hz)
        self._past: NDArray[np.float32] = np.empty(0, np.float32)
        self._needed = spec.window_offset + spec.win_length

    def next(self, block: NDArray[np.int16]) -> NDArray[np.float32]:
        heard = as_floats(copy(self._blocker).push(block), self._spec.pcm_full_scale)
        joined = np.concatenate([self._past, heard])
        return MelStream(self._spec).push(joined)[:1]

    def take(self, block: NDArray[np.int16]) -> None:
        heard = as_floats(self._blocker.push(block), self._spec.pcm_full_scale)
        self._past = np.concatenate([self._past, heard])
        if len(self._past) >= self._needed:
            self._past = self._past[self._spec.hop_length :]


def _clear(rows: NDArray[np.float32], tensor: TensorSpec) -> bool:
    """Return whether no band is near an edge; beyond the ends there is none."""
    steps = rows.astype(np.float64) / np.float32(tensor.scale)
    edges = np.floor(steps) + 0.5
    reached = (edges + tensor.zero_point > -128) & (edges + tensor.zero_point < 127)
    return not np.any((np.abs(steps - edges) < _CLEARANCE) & reached)


def _louder(block: Block) -> Block:
    """Return the block with a little more of what it has most of."""
    if block.wave > block.noise:
        return block._replace(wave=min(block.wave + 1 + block.wave // 500, 65_535))
    return block._replace(noise=min(block.noise + 1 + block.noise // 500, 65_535))
