"""Hours of sound in which no class sounds, as streams to listen to.

Recordings are strung together by package and kind, with a second of a quiet microphone between them: many
last no longer than a window of the network, and alone would not be heard at all. That quiet is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_tools.data.clip import Clip, Part
from model_tools.data.synthetic_hours import KINDS, Kind, hour
from model_tools.evaluation.deployed import QUIET_DBFS
from model_tools.evaluation.listening import RATE_HZ, Blocks, Stream, pieces

Samples = NDArray[np.float32]

BETWEEN_S = 1.0
LONGEST_S = 600.0
"""A stream of several recordings is no longer; it is what a process takes at a time."""

SYNTHESISED_SPEECH = "espeak-ng"
"""Collection of speech that nobody spoke: it counts as synthesised."""

QUIET_KINDS = ("microphone_noise", "hum", "tones", "speech")
"""Of what is synthesised, the kinds that must not start anything at all."""

_PART_MINUTES = 20
"""An hour is listened to in so long parts, so that two processes share it."""


def recorded(clips: Sequence[Clip]) -> list[Stream]:
    """Return the recordings of no class as streams, those of a package and kind together."""

    def of(clip: Clip) -> tuple[str, str]:
        return clip.collection, clip.kind or "other"

    streams = []
    for (collection, kind), group in groupby(sorted(clips, key=lambda clip: (of(clip), clip.path.name)), of):
        real = collection != SYNTHESISED_SPEECH
        for batch in _batches(list(group)):
            begins = np.cumsum([BETWEEN_S, *(clip.duration_s + BETWEEN_S for clip in batch)])
            marks = tuple(
                (float(s), f"{collection}/{c.path.name}") for s, c in zip(begins, batch, strict=False)
            )
            blocks = partial(_strung, tuple(clip.path for clip in batch))
            filler_s = BETWEEN_S * (len(batch) + 1)
            streams.append(Stream(marks[0][1], kind, real, blocks, filler_s, marks))
    return streams


def _batches(clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    batch: list[Clip] = []
    length_s = 0.0
    for clip in clips:
        if batch and length_s + clip.duration_s > LONGEST_S:
            yield batch
            batch, length_s = [], 0.0
        batch.append(clip)
        length_s += clip.duration_s + BETWEEN_S
    if batch:
        yield batch


def _strung(paths: Sequence[Path]) -> Iterator[Samples]:
    from aed_daemon.audio.file import decode

    rng = np.random.default_rng(len(paths))

    def quiet() -> Samples:
        noise = rng.standard_normal(round(BETWEEN_S * RATE_HZ)) * 10 ** (QUIET_DBFS / 20)
        return np.asarray(noise, np.float32)

    yield quiet()
    for path in paths:
        yield from pieces(decode(path, RATE_HZ))
        yield quiet()


def synthesised(part: Part, hours: float, kinds: Sequence[Kind] = KINDS) -> list[Stream]:
    """Return so many hours of each kind of synthesised sound.

    Parameters
    ----------
    part : str
        "calibration" or "test": other seeds, and for the test other families of sound.
    hours : float
        Of each kind; parts of an hour in whole minutes.
    """
    streams = []
    for kind in kinds:
        left = round(hours * 60)
        for number in range(-(-left // _PART_MINUTES)):
            minutes = min(_PART_MINUTES, left - number * _PART_MINUTES)
            name = f"{kind} {part} {number}"
            streams.append(Stream(name, kind, False, _hour(kind, part, number, minutes)))
    return streams


def _hour(kind: Kind, part: Part, number: int, minutes: int) -> Blocks:
    return partial(_minutes, kind, part, number, minutes)


def _minutes(kind: Kind, part: Part, number: int, minutes: int) -> Iterator[Samples]:
    for minute in hour(kind, part, number, RATE_HZ, minutes):
        yield from pieces(minute)
