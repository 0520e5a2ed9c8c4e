"""A soundscape that the package makes itself, with the truth about what is in it.

For `make run`, for trying an installation without a microphone, and for tests. Its sounds come from
formulas (`demo_sounds`) and MUST NEVER enter training, calibration or threshold setting. The recipes
may be made more lifelike; the model is never made to fit them, and its misses stay visible.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio import demo_sounds as sounds
from aed_daemon.audio.source import Block, Pacer, PcmFormat
from aed_daemon.audio.synth import RATE_HZ
from aed_daemon.errors import AudioError

CLASSES: dict[str, tuple[sounds.Recipe, float, float]] = {
    "dog": (sounds.dog, 1.2, 2.4),
    "rain": (sounds.rain, 4.0, 6.0),
    "rooster": (sounds.rooster, 1.9, 2.5),
    "crying_baby": (sounds.crying_baby, 3.5, 5.5),
    "clock_tick": (sounds.clock_tick, 4.0, 6.0),
    "sneezing": (sounds.sneezing, 0.9, 1.2),
    "chainsaw": (sounds.chainsaw, 3.5, 5.0),
    "sea_waves": (sounds.sea_waves, 5.0, 7.0),
    "crackling_fire": (sounds.crackling_fire, 4.0, 6.0),
    "helicopter": (sounds.helicopter, 4.5, 6.0),
}
"""By class: the recipe, and the least and the most seconds that it lasts."""

DISTRACTORS: dict[str, tuple[sounds.Recipe, float, float]] = {
    "siren": (sounds.siren, 3.0, 5.0),
    "speech": (sounds.speech, 2.5, 4.0),
    "knocking": (sounds.knocking, 1.0, 2.0),
    "beeps": (sounds.beeps, 1.6, 2.4),
}
"""Likewise, for sounds that no class stands for: whatever starts during one is a false start."""

_ORDER = (
    "dog", "rain", "siren", "crying_baby", "clock_tick", "speech", "rooster", "crackling_fire", "sneezing",
    "knocking", "chainsaw", "sea_waves", "beeps", "helicopter",
)  # fmt: skip
_FIRST_ONSET_S = 1.0
_PAUSE_S = (2.5, 3.5)
_PEAK_DBFS = (-10.0, -4.0)
_BED_DBFS = -64.0
"""Noise of a quiet room in a cheap microphone, RMS."""

_BLOCK = 320
_SEGMENT = 8_000
_SCHEDULE, _SOUND, _BED = 0, 1, 2


class DemoEvent(NamedTuple):
    """A sound of the soundscape.

    Attributes
    ----------
    slug : str
        Class, or name of the distractor.
    onset_s, offset_s : float
        Seconds from the start of the soundscape.
    """

    slug: str
    onset_s: float
    offset_s: float


class _Item(NamedTuple):
    slug: str
    first_sample: int
    samples: int
    seed: tuple[int, ...]

    @property
    def end_sample(self) -> int:
        return self.first_sample + self.samples

    def render(self) -> NDArray[np.float32]:
        rng = np.random.default_rng(self.seed)
        recipe, _, _ = {**CLASSES, **DISTRACTORS}[self.slug]
        wave = recipe(rng, self.samples / RATE_HZ)[: self.samples]
        gain = 10 ** (rng.uniform(*_PEAK_DBFS) / 20) / np.abs(wave).max()
        return np.asarray(wave * gain, np.float32)


def _items(seed: int, passes: int | None) -> Iterator[_Item]:
    """Yield the sounds in their order; after the first pass, in another one each time."""
    at = round(_FIRST_ONSET_S * RATE_HZ)
    turn = 0
    while passes is None or turn < passes:
        rng = np.random.default_rng([seed, _SCHEDULE, turn])
        order = _ORDER if turn == 0 else tuple(rng.permutation(_ORDER))
        for number, slug in enumerate(order):
            _, least_s, most_s = {**CLASSES, **DISTRACTORS}[slug]
            samples = round(rng.uniform(least_s, most_s) * RATE_HZ)
            yield _Item(str(slug), at, samples, (seed, _SOUND, turn, number))
            at += samples + round(rng.uniform(*_PAUSE_S) * RATE_HZ)
        turn += 1


class DemoSource:
    """The soundscape as a `Source`: 16 kHz, one channel.

    The same seed gives the same samples. Never to be trained or calibrated on: see the module.

    Parameters
    ----------
    seed : int
        Of everything random in it.
    loop : bool
        True: it never ends, and never repeats itself. False: every sound once.
    speed : float or None
        1.0 is real time, 2.0 twice as fast, None as fast as it is made.
    origin_s : float, optional
        UTC in seconds of its first sample; by default the moment of `open`.
    """

    name, live, repeatable = "demo", False, False

    def __init__(
        self, *, seed: int = 1, loop: bool = True, speed: float | None = 1.0, origin_s: float | None = None
    ) -> None:
        self._seed, self._loop, self._origin_s = seed, loop, origin_s
        self._speed = speed
        self._pacer = Pacer(RATE_HZ, None)
        self._closed = False
        self._items = _items(seed, None if loop else 1)
        self._item: _Item | None = None
        self._wave = np.empty(0, np.float32)
        self._segment = np.empty(0, np.float32)
        self._next = 0
        self._end: int | None = None
        if not loop:
            *_, last = _items(seed, 1)
            self._end = last.end_sample + round(_PAUSE_S[1] * RATE_HZ)

    def ground_truth(self, until_s: float | None = None) -> list[DemoEvent]:
        """Return the sounds of classes that begin before `until_s`, by default those of one pass."""
        return [event for event in self._events(until_s) if event.slug in CLASSES]

    def distractors(self, until_s: float | None = None) -> list[DemoEvent]:
        """Return the sounds that no class stands for, likewise."""
        return [event for event in self._events(until_s) if event.slug in DISTRACTORS]

    def _events(self, until_s: float | None) -> Iterator[DemoEvent]:
        endless = self._loop and until_s is not None
        for item in _items(self._seed, None if endless else 1):
            onset_s = item.first_sample / RATE_HZ
            if until_s is not None and onset_s >= until_s:
                return
            yield DemoEvent(item.slug, onset_s, item.end_sample / RATE_HZ)

    def open(self) -> PcmFormat:
        """Begin."""
        self._pacer = Pacer(RATE_HZ, self._speed)
        if self._closed:
            self._pacer.close()
        if self._origin_s is None:
            self._origin_s = time.time()
        return PcmFormat(RATE_HZ, 1)

    def read(self) -> Block | None:
        """Return the next 20 ms when its last sample is due; None after the last sound."""
        if self._origin_s is None:
            raise AudioError("read before open", where=self.name)
        first = self._next
        if self._end is not None and first >= self._end:
            return None
        within = first % _SEGMENT
        if within == 0:
            self._segment = self._make_segment(first)
        self._next += _BLOCK
        if not self._pacer.wait(self._next):
            return None
        samples = self._segment[within : within + _BLOCK, None]
        return Block(first, samples, False, self._origin_s + self._next / RATE_HZ)

    def close(self) -> None:
        """Wake a waiting `read`, which then returns None."""
        self._closed = True
        self._pacer.close()

    def _make_segment(self, first: int) -> NDArray[np.float32]:
        rng = np.random.default_rng([self._seed, _BED, first // _SEGMENT])
        segment = rng.normal(scale=10 ** (_BED_DBFS / 20), size=_SEGMENT).astype(np.float32)
        end = first + _SEGMENT
        while True:
            if self._item is None:
                self._item = next(self._items, None)
                self._wave = np.empty(0, np.float32)
            item = self._item
            if item is None or item.first_sample >= end:
                return segment
            if not len(self._wave):
                self._wave = item.render()
            start, stop = max(first, item.first_sample), min(end, item.end_sample)
            segment[start - first : stop - first] += self._wave[
                start - item.first_sample : stop - item.first_sample
            ]
            if item.end_sample > end:
                return segment
            self._item = None
