"""The spectrogram bank: every clip as it sounds through many channels, ready for cutting.

What needs the waveform (speed, rooms, codecs, overdrive) happens once, here; what a mel spectrogram
can express (level, mixture, filter, noise, masks) happens anew for every crop. So a run costs what
the network costs, and all runs share one bank: clips are picked from it by fold and class.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.features import log_mel
from aed_daemon.spec import FeatureSpec
from model_tools.data import cache, synthetic
from model_tools.data.clip import Clip
from model_tools.training.sound import active, frame_dbfs, stretch

FLOOR = 1e-6
"""Added to the magnitude before the logarithm: float16 then resolves what 40 dB of gain bring up."""

LONGEST_S = 30.0
"""A variant of a clip of a class shows at most this much of it."""

CLEAN, CHANNELLED, WARPED, SYNTHETIC = range(4)
"""Kinds of segments: as recorded; through a channel; a clip that no longer is its sound; no recording."""

_VERSION = 1
_SHARD_CLIPS = 20


@dataclass(frozen=True)
class BankRecipe:
    """How many variants of each clip there are.

    Attributes
    ----------
    seed : int
        Of everything random.
    clean, channelled : int
        Variants of each clip of a class: at a random speed alone, and through a random channel too.
    warped : int
        Variants of each clip that can be warped until it is no longer its sound.
    negative_channelled : float
        Share of the negatives' segments that go through a channel.
    negative_s : float
        Length of the segments into which negatives are cut.
    synthetic : int
        Synthesised segments of no class.
    """

    seed: int = 1
    clean: int = 8
    channelled: int = 12
    warped: int = 2
    negative_channelled: float = 0.4
    negative_s: float = 10.0
    synthetic: int = 3_000


@dataclass(frozen=True)
class Segments:
    """Spectrograms one after the other, and what is known of each.

    Attributes
    ----------
    frames : ndarray, float16 (t, n_mels)
        log(magnitude + FLOOR).
    level : ndarray, float16 (t,)
        RMS of each hop in dBFS, as heard through the channel.
    active : ndarray, bool (t,)
        Hops that hold the clip's sound, judged before the channel.
    start, length : ndarray, int64 (s,)
        Where each segment lies.
    clip : ndarray, int32 (s,)
        Index into the bank's clips, -1 for what was synthesised.
    kind : ndarray, int8 (s,)
        CLEAN, CHANNELLED, WARPED or SYNTHETIC.
    """

    frames: NDArray[np.float16]
    level: NDArray[np.float16]
    active: NDArray[np.bool_]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    clip: NDArray[np.int32]
    kind: NDArray[np.int8]


@dataclass(frozen=True)
class Segment:
    """One spectrogram on its way into the bank."""

    frames: NDArray[np.float16]
    level: NDArray[np.float16]
    active: NDArray[np.bool_]
    kind: int


REVERSIBLE = frozenset({"dog", "sneezing", "rooster"})
"""Classes whose sounds nobody recognises backwards."""

PITCHED = frozenset({"dog", "sneezing", "rooster", "crying_baby", "chainsaw"})
"""Classes that at twice or under half their speed are something else."""


def segment(
    samples: NDArray[np.float32], heard: NDArray[np.float32], kind: int, spec: FeatureSpec
) -> Segment:
    """Return the spectrogram of `heard`, with activity judged on `samples`, both float32 (n,)."""
    patches = log_mel(heard, spec).astype(np.float32)
    magnitude = np.maximum(np.exp(patches) - np.float32(spec.log_offset), np.float32(0.0))
    count = len(patches)
    level = frame_dbfs(heard, spec)[:count]
    return Segment(
        np.log(magnitude + np.float32(FLOOR)).astype(np.float16),
        level.astype(np.float16),
        active(samples, spec)[:count],
        kind,
    )


def of_class(
    rng: np.random.Generator, samples: NDArray[np.float32], slug: str, spec: FeatureSpec, recipe: BankRecipe
) -> list[Segment]:
    """Return the segments of a clip of a class."""
    found = []
    for number in range(recipe.clean + recipe.channelled):
        speed = float(rng.uniform(0.88, 1.12)) if number else 1.0
        spoken = at_speed(stretch_of(rng, samples, spec), speed)
        if number < recipe.clean:
            found.append(segment(spoken, spoken, CLEAN, spec))
        else:
            found.append(segment(spoken, _channelled(rng, spoken, spec), CHANNELLED, spec))
    for _ in range(recipe.warped):
        warped = warp(rng, samples, slug)
        if warped is not None:
            found.append(segment(warped, warped, WARPED, spec))
    return found


def stretch_of(
    rng: np.random.Generator, samples: NDArray[np.float32], spec: FeatureSpec
) -> NDArray[np.float32]:
    """Return what one variant shows of a clip: all of it, or of a long one some stretch with its sound."""
    longest = int(LONGEST_S * spec.sample_rate_hz)
    if len(samples) <= longest:
        return samples
    sounding = np.flatnonzero(active(samples, spec))
    at = int(rng.choice(sounding)) * spec.hop_length if sounding.size else 0
    start = min(max(0, at - int(rng.integers(longest))), len(samples) - longest)
    return samples[start : start + longest]


def warp(rng: np.random.Generator, samples: NDArray[np.float32], slug: str) -> NDArray[np.float32] | None:
    """Return a clip that no longer is its sound, None where its class knows no such thing."""
    ways = [way for way, classes in (("back", REVERSIBLE), ("pitch", PITCHED)) if slug in classes]
    if not ways:
        return None
    if rng.choice(ways) == "back":
        return np.ascontiguousarray(samples[::-1])
    return at_speed(samples, float(rng.uniform(1.9, 2.6) if rng.random() < 0.5 else rng.uniform(0.35, 0.5)))


def at_speed(samples: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Return the whole clip at another speed and pitch."""
    if speed == 1.0:
        return samples
    return stretch(samples, 0.0, int(len(samples) / speed), speed)


def of_negative(
    rng: np.random.Generator, samples: NDArray[np.float32], spec: FeatureSpec, recipe: BankRecipe
) -> list[Segment]:
    """Return the segments of a recording of no class: all of it, cut into pieces."""
    found = []
    piece = int(recipe.negative_s * spec.sample_rate_hz)
    for start in range(0, max(1, len(samples) - spec.n_fft), piece):
        spoken = samples[start : start + piece + spec.n_fft]
        if len(spoken) < spec.n_fft + 10 * spec.hop_length:
            continue
        if rng.random() < recipe.negative_channelled:
            found.append(segment(spoken, _channelled(rng, spoken, spec), CHANNELLED, spec))
        else:
            found.append(segment(spoken, spoken, CLEAN, spec))
    return found


def _channelled(
    rng: np.random.Generator, samples: NDArray[np.float32], spec: FeatureSpec
) -> NDArray[np.float32]:
    from model_tools.channel.chain import random_channel

    heard, _ = random_channel(rng, samples, spec.sample_rate_hz)
    return np.asarray(heard, np.float32)


def of_nothing(rng: np.random.Generator, spec: FeatureSpec) -> Segment:
    """Return a synthesised segment of no class, two and a half seconds long."""
    samples = synthetic.synthetic(rng, int(2.5 * spec.sample_rate_hz), spec.sample_rate_hz)
    return segment(samples, samples, SYNTHETIC, spec)


def _shard(
    path: Path, clips: list[tuple[int, Clip]], noises: int, recipe: BankRecipe, spec: FeatureSpec
) -> int:
    """Write the segments of some clips, or some synthesised ones, to a file; return their number."""
    from aed_daemon.audio.file import decode

    if path.exists():
        return 0
    found: list[tuple[int, Segment]] = []
    for index, clip in clips:
        rng = np.random.default_rng([recipe.seed, _number(f"{clip.collection}/{clip.path.name}")])
        samples = decode(clip.path, spec.sample_rate_hz)
        made = (
            of_class(rng, samples, clip.slug, spec, recipe)
            if clip.slug
            else of_negative(rng, samples, spec, recipe)
        )
        found += [(index, part) for part in made]
    rng = np.random.default_rng([recipe.seed, _number(path.stem)])
    found += [(-1, of_nothing(rng, spec)) for _ in range(noises)]
    parts = [part for _, part in found]
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    empty = np.empty((0, spec.n_mels), np.float16)
    np.savez(
        temporary,
        frames=np.concatenate([empty, *(part.frames for part in parts)]),
        level=np.concatenate([np.empty(0, np.float16), *(part.level for part in parts)]),
        active=np.concatenate([np.empty(0, bool), *(part.active for part in parts)]),
        length=np.array([len(part.frames) for part in parts], np.int64),
        clip=np.array([index for index, _ in found], np.int32),
        kind=np.array([part.kind for part in parts], np.int8),
    )
    temporary.replace(path)
    return len(found)


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def identity(clips: Sequence[Clip], recipe: BankRecipe, spec: FeatureSpec) -> str:
    """Return what the bank of these clips is called: a hash of clips, recipe and features."""
    names = [
        (clip.collection, clip.path.name, clip.sound or clip.path.stat().st_size, clip.slug) for clip in clips
    ]
    text = json.dumps([_VERSION, cache.DECODER, spec.spec_id, asdict(recipe), names])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make(
    clips: Sequence[Clip],
    recipe: BankRecipe,
    spec: FeatureSpec,
    cache_dir: Path,
    *,
    processes: int = 2,
    step: Callable[[int, int], None] = lambda *_: None,
) -> Path:
    """Make the bank of some clips, or find the one that an earlier run made; go on where one was cut off.

    Parameters
    ----------
    clips : sequence of Clip
        Of the classes and of none.
    step : callable
        For a progress bar: parts done, parts in all.

    Returns
    -------
    Path
        The bank's folder.

    Raises
    ------
    AedError
        If a clip cannot be decoded, or the disk is full.
    """
    folder = cache_dir / f"bank-{identity(clips, recipe, spec)}"
    if (folder / "index.npz").exists():
        step(1, 1)
        return folder
    numbered = list(enumerate(clips))
    jobs: list[tuple[list[tuple[int, Clip]], int]] = [
        (numbered[at : at + _SHARD_CLIPS], 0) for at in range(0, len(numbered), _SHARD_CLIPS)
    ]
    jobs += [([], 250)] * (recipe.synthetic // 250)
    paths = [folder / f"part-{number:05d}.npz" for number in range(len(jobs))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            waiting = [
                pool.submit(_shard, path, part, noises, recipe, spec)
                for path, (part, noises) in zip(paths, jobs, strict=True)
            ]
            for done, future in enumerate(waiting, start=1):
                future.result()
                step(done, len(waiting))
        _join(folder, paths, spec)
    except OSError as error:
        raise AedError(
            f"cannot write the spectrograms ({error.strerror or error})",
            where=str(folder),
            hint="They need about 1.5 MB per clip of five seconds; make room, or give --cache.",
        ) from None
    return folder


def _join(folder: Path, paths: Sequence[Path], spec: FeatureSpec) -> None:
    index: dict[str, list[Any]] = {"level": [], "active": [], "length": [], "clip": [], "kind": []}
    frames = 0
    with (folder / "frames.f16").open("wb") as file:
        for path in paths:
            with np.load(path) as part:
                file.write(part["frames"].tobytes())
                frames += len(part["frames"])
                for name, values in index.items():
                    values.append(part[name])
    joined = {name: np.concatenate(values) for name, values in index.items()}
    temporary = folder / "index.tmp.npz"
    np.savez(temporary, n_mels=spec.n_mels, frames=frames, **joined)
    temporary.replace(folder / "index.npz")
    for path in paths:
        path.unlink()


def load(folder: Path) -> Segments:
    """Open a bank; its frames stay on the disk and are read as they are needed."""
    with np.load(folder / "index.npz") as index:
        length = index["length"]
        shape = (int(index["frames"]), int(index["n_mels"]))
        frames = np.memmap(folder / "frames.f16", np.float16, "r", shape=shape)
        start = np.concatenate([[0], np.cumsum(length)[:-1]]) if len(length) else length
        return Segments(frames, index["level"], index["active"], start, length, index["clip"], index["kind"])
