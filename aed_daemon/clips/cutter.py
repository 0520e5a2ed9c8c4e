"""Cutter: which samples of a source belong to which clip; sample indices only, no clock and no files."""

from __future__ import annotations

from collections.abc import Callable

from aed_daemon.clips.take import CutShort, Take
from aed_daemon.clips.tape import Block, Tape


class Cutter:
    """Cuts the clips of one source out of its samples. Used by one thread at a time.

    Clips that overlap each have all of their samples. A clip never reaches over a gap: it begins
    after it or ends at it. While a sound of a vetoed class goes on, from its onset to its offset,
    nothing is cut that contains it: what is under way is dropped, or ends before it.

    Parameters
    ----------
    pre_samples, post_samples, max_samples : int
        Before the onset, after the offset, and of a whole clip.
    reach_samples : int
        How long after its onset a sound starts at the latest.
    settle_samples : int
        A clip is handed out so long after its last sample: a vetoed sound in it is known by then.
    done : callable
        Takes every clip that is complete, or has failed.
    """

    def __init__(
        self,
        *,
        pre_samples: int,
        post_samples: int,
        max_samples: int,
        reach_samples: int,
        settle_samples: int,
        done: Callable[[Take], None],
    ) -> None:
        self._pre, self._post, self._max = pre_samples, post_samples, max_samples
        self._settle = settle_samples
        self._tape = Tape(pre_samples + reach_samples)
        self._done = done
        self._takes: dict[str, Take] = {}
        self._vetoed: set[str] = set()

    @property
    def end_sample(self) -> int | None:
        """Index after the newest sample; None where nothing is on the tape."""
        return self._tape.end_sample

    @property
    def under_way(self) -> int:
        """Clips that are not complete."""
        return len(self._takes)

    def push(self, block: Block) -> None:
        """Take the next samples; those that do not join on to the last are a gap."""
        if self._tape.end_sample not in (None, block.first_sample):
            self.cut("gap")
        self._tape.push(block)
        for take in list(self._takes.values()):
            take.push(block)
            self._maybe_finish(take)

    def begin(self, take: Take) -> bool:
        """Begin a clip at `start_sample`, less what is wanted before it; False where there is nothing."""
        if self._vetoed:
            return False
        take.blocks = self._tape.since(take.start_sample - self._pre)
        if not take.blocks:
            return False
        take.first_sample = take.blocks[0].first_sample
        take.limit_sample = take.first_sample + self._max
        self._takes[take.id] = take
        return True

    def end(self, identity: str, end_sample: int) -> None:
        """Take that a sound is over."""
        take = self._takes.get(identity)
        if take is None:
            return
        take.end_sample, take.stop_sample = end_sample, end_sample + self._post
        if take.stop_sample > take.limit_sample:
            take.cut_short = "max_s"
        self._maybe_finish(take)

    def veto(self, identity: str, start_sample: int) -> None:
        """Take that a sound has begun that must not be recorded."""
        self._vetoed.add(identity)
        for take in list(self._takes.values()):
            if take.end_sample is not None and take.end_sample <= start_sample:
                take.shorten(start_sample, "class_veto")
            elif take.last_sample > start_sample:
                self.drop(take.id)

    def lift(self, identity: str, end_sample: int) -> None:
        """Take that such a sound is over; what follows may be recorded."""
        if identity in self._vetoed:
            self._vetoed.discard(identity)
            self._tape.forget(end_sample)

    def drop(self, identity: str) -> None:
        """Give up a clip."""
        take = self._takes.pop(identity, None)
        if take is not None:
            take.failed, take.blocks = True, []
            self._done(take)

    def cut(self, why: CutShort) -> None:
        """Nothing that comes joins on: complete every clip with what there is of it."""
        for take in list(self._takes.values()):
            take.shorten(take.held_to, why)
            self._finish(take)
        self._tape.cut()

    def over(self, why: CutShort) -> None:
        """Nothing comes any more: as `cut`, and no veto goes on."""
        self.cut(why)
        self._vetoed.clear()

    def drop_open(self) -> None:
        """Give up every clip whose sound goes on."""
        for take in list(self._takes.values()):
            if take.end_sample is None:
                self.drop(take.id)

    def _maybe_finish(self, take: Take) -> None:
        now = self._tape.end_sample
        if now is not None and take.last_sample + self._settle <= now:
            self._finish(take)

    def _finish(self, take: Take) -> None:
        del self._takes[take.id]
        if take.end_sample is None and take.cut_short is None:
            take.cut_short = "max_s"
        self._done(take)
