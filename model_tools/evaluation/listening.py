"""Networks as deployed: streams through the daemon's own detector, in processes of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.inference import Classifier, load_classifier
from model_tools.data.clip import Clip
from model_tools.evaluation.trace import Found, Trace, record

Samples = NDArray[np.float32]
Engine = Literal["auto", "litert", "tflite"]
Blocks = Callable[[], Iterable[Samples]]
"""Gives a stream from its beginning, in pieces; it travels to another process, so it can be pickled."""

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
    """

    name: str
    kind: str
    real: bool
    blocks: Blocks


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


class Listeners:
    """Runs networks over streams in at most two processes, to be used in a `with`.

    tflite-runtime fails in a process that has loaded TensorFlow, hence processes; they serve any
    number of networks, one after the other.

    Parameters
    ----------
    processes : int
        1 or 2.
    engine : {"auto", "litert", "tflite"}
        Which runtime.
    detection : DetectionConfig, optional
        The daemon's settings; by default those of a daemon without a configuration.
    """

    def __init__(
        self, processes: int = 2, engine: Engine = "auto", detection: DetectionConfig | None = None
    ) -> None:
        self._processes = processes
        self._engine = engine
        self._detection = detection or DetectionConfig()

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def engine(self, model: Path) -> str:
        """Return the name of the engine that runs a model.

        Raises
        ------
        ModelError
            If model, manifest or engine are not right.
        """
        return self._pool.submit(_engine, model, self._engine).result()

    def listen(
        self, model: Path, streams: Iterable[Stream], step: Callable[[], None] = lambda: None
    ) -> Iterator[Heard]:
        """Yield what a network makes of each stream, in order, as it is done.

        Raises
        ------
        AedError
            If a model or a file cannot be read.
        """
        waiting: deque[tuple[Stream, Future[tuple[Trace, list[Found]]]]] = deque()
        for stream in streams:
            job = self._pool.submit(_listen, model, self._engine, self._detection, stream.blocks)
            waiting.append((stream, job))
            if len(waiting) > _AHEAD * self._processes:
                yield _heard(*waiting.popleft(), step)
        while waiting:
            yield _heard(*waiting.popleft(), step)


def _heard(stream: Stream, job: Future[tuple[Trace, list[Found]]], step: Callable[[], None]) -> Heard:
    trace, events = job.result()
    step()
    return Heard(stream, trace, events)


@lru_cache(maxsize=4)
def _classifier(model: Path, engine: Engine) -> Classifier:
    return load_classifier(model, engine)


def _engine(model: Path, engine: Engine) -> str:
    return _classifier(model, engine).engine


def _listen(
    model: Path, engine: Engine, detection: DetectionConfig, blocks: Blocks
) -> tuple[Trace, list[Found]]:
    return record(_classifier(model, engine), detection, blocks())


def of_samples(name: str, kind: str, samples: Samples, *, real: bool) -> Stream:
    """Return a stream of sound at hand; it travels to the process, so let it be minutes."""
    return Stream(name, kind, real, partial(_pieces, samples))


def of_clip(clip: Clip, kind: str, rate_hz: int = RATE_HZ) -> Stream:
    """Return a stream of a recording, decoded where it is listened to."""
    return Stream(clip.path.name, kind, True, partial(_decoded, clip.path, rate_hz))


def _pieces(samples: Samples) -> Sequence[Samples]:
    return [samples[at : at + _BLOCK_SAMPLES] for at in range(0, len(samples), _BLOCK_SAMPLES)]


def _decoded(path: Path, rate_hz: int) -> Sequence[Samples]:
    from aed_daemon.audio.file import decode

    return _pieces(decode(path, rate_hz))
