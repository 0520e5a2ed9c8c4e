"""Networks as deployed: streams through the daemon's own detector, in processes of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.inference import Classifier, load_classifier
from model_tools.evaluation.trace import Found, Trace, record

Samples = NDArray[np.float32]
Engine = Literal["auto", "native", "litert", "tflite"]
Blocks = Callable[[], Iterable[Samples]]
"""Gives a stream from its beginning, in pieces; it travels to another process, so it can be pickled."""

T = TypeVar("T")
R = TypeVar("R")

RATE_HZ = 16_000
_BLOCK_SAMPLES = 10 * RATE_HZ
_AHEAD = 2
"""Streams that wait for each process: their sound may travel with them."""


@dataclass(frozen=True)
class Stream:
    """Sound to listen to.

    Attributes
    ----------
    name : str
        What is told of it.
    kind : str
        "speech", "music", "white_noise": what it is counted under.
    real : bool
        Whether it was recorded rather than synthesised.
    blocks : callable
        Gives the sound at the model's rate.
    filler_s : float
        How much of it is not what it is counted as, s: the quiet between recordings.
    marks : tuple of (float, str)
        Where recordings begin, about, and which, to name the place of an event.
    """

    name: str
    kind: str
    real: bool
    blocks: Blocks
    filler_s: float = 0.0
    marks: tuple[tuple[float, str], ...] = ()

    def place(self, at_s: float) -> str:
        """Return the name of the recording that plays at a time, and the time in it."""
        earlier = [mark for mark in self.marks if mark[0] <= at_s + 0.5]
        begin_s, name = earlier[-1] if earlier else (0.0, self.name)
        return f"{name} {max(0.0, at_s - begin_s):.1f} s"


class Heard(NamedTuple):
    """What came of a stream.

    Attributes
    ----------
    stream : Stream
        Which; its sound may be gone.
    trace : Trace
        The network's scores and the levels.
    events : list of Found
        What the daemon would have published.
    """

    stream: Stream
    trace: Trace
    events: list[Found]

    @property
    def hours(self) -> float:
        """Length of what the stream is counted as."""
        return max(0.0, self.trace.samples / RATE_HZ - self.stream.filler_s) / 3_600


class Listeners:
    """Runs networks over streams in at most two processes, to be used in a `with`.

    tflite-runtime fails in a process that has loaded TensorFlow, hence processes; they serve any
    number of networks, one after the other.

    Parameters
    ----------
    processes : int
        1 or 2.
    engine : {"auto", "native", "litert", "tflite"}
        What runs them.
    detection : DetectionConfig, optional
        The daemon's settings; by default those of a daemon without a configuration.
    natives : Path, optional
        Cache folder for libraries of the networks, for the engine native; without one they lie beside them.
    """

    def __init__(
        self,
        processes: int = 2,
        engine: Engine = "auto",
        detection: DetectionConfig | None = None,
        natives: Path | None = None,
    ) -> None:
        self._processes = processes
        self._natives = natives
        self.runtime: Engine = engine
        self._detection = detection or DetectionConfig()

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def engine(self, model: Path) -> tuple[str, bool]:
        """Return the name of the engine that runs a model, and whether it is exact.

        Raises
        ------
        ModelError
            If model, manifest or engine are not right.
        """
        return self._pool.submit(_engine, self.deployed(model), self.runtime).result()

    def deployed(self, model: Path) -> Path:
        """Return the file to run in place of a model: itself, or its copy with a library beside it.

        Raises
        ------
        AedError
            If the library cannot be made.
        """
        if self._natives is None:
            return model
        from model_tools.export.native import with_native

        return with_native(model, self._natives)

    def listen(
        self, model: Path, streams: Iterable[Stream], step: Callable[[], None] = lambda: None
    ) -> Iterator[Heard]:
        """Yield what a network makes of each stream, in order, as it is done.

        Raises
        ------
        AedError
            If a model or a file cannot be read.
        """
        deployed = self.deployed(model)
        for heard in self.map(partial(_listen, deployed, self.runtime, self._detection), streams):
            step()
            yield Heard(*heard)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what a function of a module makes of each item, in order; few items are ahead."""
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) > _AHEAD * self._processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@lru_cache(maxsize=4)
def classifier(model: Path, engine: Engine) -> Classifier:
    """Return a network in the process that is to run it."""
    return load_classifier(model, engine)


def _engine(model: Path, engine: Engine) -> tuple[str, bool]:
    loaded = classifier(model, engine)
    return loaded.engine, loaded.exact


def _listen(
    model: Path, engine: Engine, detection: DetectionConfig, stream: Stream
) -> tuple[Stream, Trace, list[Found]]:
    trace, events = record(classifier(model, engine), detection, stream.blocks())
    return replace(stream, blocks=list), trace, events


def pieces(samples: Samples) -> Sequence[Samples]:
    """Return sound in pieces of ten seconds."""
    return [samples[at : at + _BLOCK_SAMPLES] for at in range(0, len(samples), _BLOCK_SAMPLES)]


def of_samples(name: str, kind: str, samples: Samples, *, real: bool) -> Stream:
    """Return a stream of sound at hand; it travels to the process, so let it be minutes."""
    return Stream(name, kind, real, partial(pieces, samples))
