"""Take: a clip while it is being recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from aed_daemon.clips.tape import Block, Pcm, joined

CutShort = Literal["max_s", "gap", "source_ended", "quiet_hours", "class_veto", "shutdown"]
"""Why a clip ends before its post-roll does."""


@dataclass
class Take:
    """What is recorded of one sound.

    Attributes
    ----------
    id, node, source, slug, label : str
        As in the event.
    name : str
        Path of the clip's file below the clips folder.
    start_ts : float
        Onset, seconds since 1970.
    start_sample : int
        Onset, as a sample index.
    first_sample : int
        Index of the clip's first sample.
    limit_sample : int
        The clip has nothing from here on, however long the sound is.
    stop_sample : int or None
        Nor from here on; None while the sound goes on.
    blocks : list of Block
        The samples, from `first_sample` on.
    end_sample : int or None
        Offset; None while the sound goes on.
    end_reason : str or None
        Why the sound's end is not its own.
    score_max : float or None
        The best score so far.
    cut_short : str or None
        Why it ends early.
    failed : bool
        There will be no such clip.
    """

    id: str
    node: str
    source: str
    slug: str
    label: str
    name: str
    start_ts: float
    start_sample: int
    first_sample: int
    limit_sample: int
    stop_sample: int | None = None
    blocks: list[Block] = field(default_factory=list)
    end_sample: int | None = None
    end_reason: str | None = None
    score_max: float | None = None
    cut_short: CutShort | None = None
    failed: bool = False

    @property
    def last_sample(self) -> int:
        """Index after the last sample that it may have, as far as is known."""
        return self.limit_sample if self.stop_sample is None else min(self.limit_sample, self.stop_sample)

    @property
    def held_to(self) -> int:
        """Index after the last sample that it has."""
        return self.blocks[-1].end_sample if self.blocks else self.first_sample

    def push(self, block: Block) -> None:
        """Take samples, as far as they belong to it."""
        if self.held_to < self.last_sample:
            self.blocks.append(block)

    def shorten(self, to_sample: int, why: CutShort) -> None:
        """End before an index, if it does not end before that anyway."""
        if to_sample < self.last_sample:
            self.stop_sample, self.cut_short = to_sample, why

    def pcm(self) -> Pcm:
        """Return its samples."""
        return joined(block.cut(self.first_sample, self.last_sample) for block in self.blocks)
