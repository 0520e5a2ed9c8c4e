"""Soundscapes mixed from clips, with the truth of what sounds when; the same from the same seed.

The truth of an onset is the first 10 ms frame within 20 dB of the clip's loudest frame, that of an
offset the frame after the last such one. A clip of a class that lasts (rain, a helicopter, a clock) is
one event however it swells and fades. A clip of a class of single sounds (a bark, a sneeze) may hold
several with pauses between: stretches that are more than a second apart would be two events to the
daemon or one, depending on its window, so the one that holds the loudest frame is taken, the others are
cut away, and every clip is one event whose onset nobody can argue about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_SAMPLES = 160
RANGE_DB = 20.0
PAUSE_FRAMES = 100
"""Stretches of a sound that are further apart are two."""

LASTING = frozenset({"rain", "sea_waves", "clock_tick", "helicopter", "chainsaw", "crackling_fire"})
"""Classes whose clips are one event each."""

_LEAD_SAMPLES, _TAIL_SAMPLES = 10 * FRAME_SAMPLES, 50 * FRAME_SAMPLES
"""What is kept around an event, faded in and out."""

_PEAK = 0.99


class Truth(NamedTuple):
    """An event that is there.

    Attributes
    ----------
    slug : str
        Its class.
    onset_sample, offset_sample : int
        First sample, and the one after the last.
    clip : str
        The clip it was made of.
    """

    slug: str
    onset_sample: int
    offset_sample: int
    clip: str


class Ingredient(NamedTuple):
    """A clip to be heard: its class, its name and its samples, float32 (n,) at 16 kHz."""

    slug: str
    name: str
    samples: Samples


class Background(NamedTuple):
    """Sound to be heard under the events: its kind, such as "speech", and its samples at 16 kHz."""

    kind: str
    samples: Samples


@dataclass(frozen=True)
class SceneRecipe:
    """How soundscapes are mixed.

    Attributes
    ----------
    seconds : float
        Length aimed at; a scene ends with the event that reaches it.
    snr_db : tuple of float
        Range of the power of an event's active frames over that of the background: over its mean in
        the scene or in those frames, whichever is louder, so that it is never less.
    background_dbfs : tuple of float
        Range of the RMS level of the background.
    pause_s : tuple of float
        Range of the time between an event and the next.
    overlap_share : float
        Share of the events that begin while the one before, of another class, sounds.
    """

    seconds: float = 180.0
    snr_db: tuple[float, float] = (6.0, 20.0)
    background_dbfs: tuple[float, float] = (-55.0, -35.0)
    pause_s: tuple[float, float] = (2.5, 6.0)
    overlap_share: float = 0.0


@dataclass(frozen=True)
class Soundscape:
    """A scene and what is in it.

    Attributes
    ----------
    samples : ndarray, float32 (n,)
        At 16 kHz, full scale 1.0.
    truths : tuple of Truth
        Its events in order of onset.
    kind : str
        Of its background.
    """

    samples: Samples
    truths: tuple[Truth, ...]
    kind: str


def active_frames(samples: Samples) -> NDArray[np.bool_]:
    """Return which 10 ms frames lie within 20 dB of the loudest one, bool (frames,); none of silence."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    loudest = float(power.max(initial=0.0))
    return np.asarray((power >= loudest * 10 ** (-RANGE_DB / 10)) & (power > 0.0))


def event_frames(samples: Samples, slug: str) -> tuple[int, int]:
    """Return the first frame of a clip's event and the one after its last.

    Raises
    ------
    ValueError
        If the clip is silent.
    """
    active = np.flatnonzero(active_frames(samples))
    if not len(active):
        raise ValueError("a silent clip has no event")
    if slug in LASTING:
        return int(active[0]), int(active[-1]) + 1
    stretches = np.split(active, np.flatnonzero(np.diff(active) > PAUSE_FRAMES + 1) + 1)
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    loudest = int(np.argmax(np.mean(np.square(frames, dtype=np.float64), axis=1)))
    holds = next(stretch for stretch in stretches if stretch[0] <= loudest <= stretch[-1])
    return int(holds[0]), int(holds[-1]) + 1


class _Piece(NamedTuple):
    """A clip cut to its event: where in `samples` that begins and ends, and its power while active."""

    samples: Samples
    onset: int
    offset: int
    power: float


def cut(ingredient: Ingredient) -> _Piece:
    """Return a clip's event with a little of what is around it, faded in and out."""
    first, last = event_frames(ingredient.samples, ingredient.slug)
    onset, offset = first * FRAME_SAMPLES, last * FRAME_SAMPLES
    begin, end = max(0, onset - _LEAD_SAMPLES), min(len(ingredient.samples), offset + _TAIL_SAMPLES)
    samples = np.array(ingredient.samples[begin:end], np.float64)
    lead, tail = onset - begin, end - offset
    samples[:lead] *= np.linspace(0.0, 1.0, lead, endpoint=False)
    samples[len(samples) - tail :] *= np.linspace(1.0, 0.0, tail)
    event = ingredient.samples[onset:offset]
    frames = event.reshape(-1, FRAME_SAMPLES)[active_frames(event)]
    power = float(np.mean(np.square(frames, dtype=np.float64)))
    return _Piece(np.asarray(samples, np.float32), lead, offset - begin, power)


def soundscapes(
    ingredients: Sequence[Ingredient],
    backgrounds: Sequence[Background],
    seed: int,
    recipe: SceneRecipe = SceneRecipe(),
) -> Iterator[Soundscape]:
    """Yield scenes that hold every clip once, in random order; each kind of background in turn.

    Parameters
    ----------
    ingredients : sequence of Ingredient
        The clips, none of them silent.
    backgrounds : sequence of Background
        At least one; those of a kind are strung together at random.
    seed : int
        The same seed, clips and backgrounds give the same samples.
    """
    rng = np.random.default_rng(seed)
    kinds = sorted({background.kind for background in backgrounds})
    left = [ingredients[i] for i in rng.permutation(len(ingredients))]
    number = 0
    while left:
        plan, length = _plan(left, recipe, rng)
        left = left[len(plan) :]
        kind = kinds[number % len(kinds)]
        chosen = [background.samples for background in backgrounds if background.kind == kind]
        level = 10 ** (rng.uniform(*recipe.background_dbfs) / 20)
        yield _mix(plan, _bed(chosen, length, rng) * level, kind, recipe, rng)
        number += 1


def _plan(
    left: Sequence[Ingredient], recipe: SceneRecipe, rng: np.random.Generator
) -> tuple[list[tuple[Ingredient, _Piece, int]], int]:
    """Return the next events with the sample at which each piece begins, and the scene's length."""

    def pause() -> int:
        return round(rng.uniform(*recipe.pause_s) * 100) * FRAME_SAMPLES

    plan: list[tuple[Ingredient, _Piece, int]] = []
    at = pause()
    last: tuple[Ingredient, _Piece, int] | None = None
    for ingredient in left:
        piece = cut(ingredient)
        # 0 to 9 ms more: an onset must not favour a place in the frame.
        start = at + int(rng.integers(FRAME_SAMPLES))
        overlaps = rng.random() < recipe.overlap_share
        if last and last[0].slug != ingredient.slug and overlaps:
            start = last[2] + int(rng.uniform(0.2, 0.8) * (last[1].offset - last[1].onset))
        last = (ingredient, piece, start)
        plan.append(last)
        at = max(at, start + len(piece.samples) + pause())
        if at >= recipe.seconds * 16_000:
            break
    return plan, at


def _bed(chosen: Sequence[Samples], length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return `length` samples of backgrounds of one kind, each at an RMS of 1, float64 (length,)."""
    parts: list[NDArray[np.float64]] = []
    missing = length
    while missing > 0:
        part = chosen[int(rng.integers(len(chosen)))].astype(np.float64)
        begin = int(rng.integers(max(1, len(part) - length))) if not parts else 0
        part = part[begin : begin + missing]
        parts.append(part / (np.sqrt(np.mean(part**2)) + 1e-12))
        missing -= len(part)
    return np.concatenate(parts)


def _mix(
    plan: Sequence[tuple[Ingredient, _Piece, int]],
    bed: NDArray[np.float64],
    kind: str,
    recipe: SceneRecipe,
    rng: np.random.Generator,
) -> Soundscape:
    mixed, everywhere = bed.copy(), float(np.mean(bed**2))
    truths = []
    for ingredient, piece, start in plan:
        event = slice(start + piece.onset, start + piece.offset)
        under = bed[event].reshape(-1, FRAME_SAMPLES)
        heard = active_frames(piece.samples[piece.onset : piece.offset])
        power = max(everywhere, float(np.mean(under[heard] ** 2)))
        gain = np.sqrt(power / piece.power) * 10 ** (rng.uniform(*recipe.snr_db) / 20)
        mixed[start : start + len(piece.samples)] += gain * piece.samples
        truths.append(Truth(ingredient.slug, event.start, event.stop, ingredient.name))
    mixed *= min(1.0, _PEAK / (float(np.abs(mixed).max()) + 1e-12))
    return Soundscape(np.asarray(mixed, np.float32), tuple(sorted(truths, key=lambda t: t[1])), kind)
