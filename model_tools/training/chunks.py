"""The chunks of a run, made by another process ahead of time."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.spec import FeatureSpec
from model_tools.training.feed import Feed, FeedRecipe

Chunk = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Log-mel patches, float32 (crops, patch_frames, n_mels), and their labels, float32 (crops, outputs)."""


@dataclass(frozen=True)
class FeedSource:
    """What a process needs to make crops.

    Attributes
    ----------
    bank : Path
        Folder of the spectrogram bank.
    labels, transient, sources
        Per clip of the bank; see `Feed`.
    outputs : int
        Number of labels.
    hard : ndarray, int32 (n, 2), or None
        See `Feed`.
    """

    bank: Path
    labels: Sequence[int | None]
    transient: Sequence[bool]
    sources: Sequence[tuple[str, str]]
    outputs: int
    spec: FeatureSpec
    hard: NDArray[np.int32] | None = None

    def feed(self, recipe: FeedRecipe) -> Feed:
        """Return the feed of one recipe."""
        from model_tools.training.bank import load

        return Feed(
            load(self.bank),
            self.labels,
            self.transient,
            self.sources,
            self.outputs,
            self.spec,
            recipe,
            self.hard,
        )


_feed: Feed | None = None


def _start(source: FeedSource, recipe: FeedRecipe) -> None:
    global _feed
    # Ctrl-C reaches every process of the terminal; the one that trains ends this one in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _feed = source.feed(recipe)


def _end_with_parent() -> None:
    """End this process when the one that trains is killed: it waits for work that never comes."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(number: int, size: int) -> Chunk:
    if _feed is None:
        raise RuntimeError("the process was not started by chunks()")
    return _feed.chunk(number, size)


def chunks(
    source: FeedSource,
    recipe: FeedRecipe,
    *,
    count: int,
    first: int,
    size: int,
    seed: int,
    processes: int = 1,
) -> Generator[Chunk, None, None]:
    """Yield chunks of `size` crops, in order.

    Parameters
    ----------
    recipe : FeedRecipe
        How they are made.
    count, first : int
        Chunks of the whole run, and the first that is wanted, counted from 1.
    seed : int
        Of the crops, in place of the recipe's own.

    Raises
    ------
    AedError
        If such a process dies.
    """
    if first > count:
        return
    settings = (source, replace(recipe, seed=seed))
    with ProcessPoolExecutor(processes, get_context("spawn"), _start, settings) as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for number in range(first, count + 1):
                waiting.append(pool.submit(_make, number, size))
                if len(waiting) > 2 * processes + 6:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise AedError(
                "the process that makes the crops has died",
                hint="The memory may not suffice; see the system's log.",
            ) from None
        finally:
            for future in waiting:
                future.cancel()
