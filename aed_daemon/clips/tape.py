"""Tape: the last samples of a source, in memory, for what was heard before somebody asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

FULL_SCALE = 32_768


def to_pcm(samples: NDArray[np.float32]) -> Pcm:
    """Return float32 (n,) of full scale 1.0 as 16-bit integers; 16-bit sources come out as they went in."""
    return np.asarray(np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1), np.int16)


class Block(NamedTuple):
    """Samples that came together; shared by all who keep them, and never changed.

    Attributes
    ----------
    first_sample : int
        Index of the first.
    pcm : ndarray, int16 (n,)
        The samples.
    """

    first_sample: int
    pcm: Pcm

    @property
    def end_sample(self) -> int:
        """Index after the last."""
        return self.first_sample + len(self.pcm)

    def cut(self, first: int, end: int) -> Block:
        """Return what of it lies in [first, end)."""
        first = max(first, self.first_sample)
        return Block(first, self.pcm[first - self.first_sample : max(first, end) - self.first_sample])


def joined(blocks: Iterable[Block]) -> Pcm:
    """Return the samples of blocks that join on to each other."""
    parts = [block.pcm for block in blocks]
    return np.concatenate(parts) if parts else np.empty(0, np.int16)


class Tape:
    """Keeps the end of a stretch without gaps.

    Parameters
    ----------
    capacity : int
        Samples that are kept at least, as soon as there are so many; a block more at most.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: deque[Block] = deque()
        self._held = 0
        self._from = 0

    @property
    def end_sample(self) -> int | None:
        """Index after the newest sample; None of an empty tape."""
        return self._blocks[-1].end_sample if self._blocks else None

    @property
    def held(self) -> int:
        """Samples that are in memory."""
        return self._held

    def push(self, block: Block) -> None:
        """Take the next samples; they must join on, or `cut` comes first."""
        if self._blocks and block.first_sample != self._blocks[-1].end_sample:
            raise ValueError(f"sample {block.first_sample} does not join on to {self._blocks[-1].end_sample}")
        self._blocks.append(block)
        self._held += len(block.pcm)
        while self._held - len(self._blocks[0].pcm) >= self._capacity:
            self._held -= len(self._blocks.popleft().pcm)

    def cut(self) -> None:
        """Forget everything: what comes next does not join on."""
        self._blocks.clear()
        self._held = self._from = 0

    def forget(self, before: int) -> None:
        """Give out nothing before an index any more."""
        self._from = max(self._from, before)

    def since(self, first_sample: int) -> list[Block]:
        """Return everything from an index on, or from the oldest that there is."""
        first = max(first_sample, self._from)
        return [
            block.cut(first, block.end_sample) if block.first_sample < first else block
            for block in self._blocks
            if block.end_sample > first
        ]
