"""The batches of a training run, made in another process while the network learns.

A chunk of crops depends on the recipe's seed and on the chunk's number alone, so that a run gives
the same crops however many processes make them.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.features import log_mel
from aed_daemon.spec import FeatureSpec
from model_tools.data import synthetic
from model_tools.training import augment
from model_tools.training.crops import (
    Recording,
    analyse,
    crop_samples,
    cut,
    fade,
    frame_dbfs,
    noise_limit_dbfs,
)

SILENT_DBFS = -85.0
"""A crop whose loudest 10 ms lie below this shows nothing, whatever clip it was cut from."""

Chunk = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Log-mel patches, float32 (crops, patch_frames, n_mels), and their labels, float32 (crops, outputs)."""


@dataclass(frozen=True)
class FeedRecipe:
    """How crops are made; shares are of all crops unless said otherwise.

    Attributes
    ----------
    seed : int
        Of everything random.
    background_share : float
        Crops of no class.
    real_share : float
        Part of those that is cut from real recordings, as far as there are any.
    mixed_share : float
        Part of the crops of a class that are mixed with another class, the label shared between them.
    accompanied_share : float
        Part of the crops of a class that get a background 3 to 25 dB below them.
    equaliser_db : float
        Largest gain of the random equaliser.
    low_pass_share, high_pass_share : float
        Crops whose channel lacks treble, or bass.
    noise_share : float
        Crops that get a noise floor of -95 to -35 dBFS.
    clipped_share : float
        Crops that are overdriven.
    """

    seed: int = 1
    background_share: float = 0.22
    real_share: float = 0.5
    mixed_share: float = 0.35
    accompanied_share: float = 0.25
    equaliser_db: float = 8.0
    low_pass_share: float = 0.3
    high_pass_share: float = 0.2
    noise_share: float = 0.85
    clipped_share: float = 0.04


class CropMaker:
    """Makes chunks of labelled, augmented patches.

    Parameters
    ----------
    recordings : list of (ndarray, int, bool)
        Samples, label and whether transient, of each clip of a class.
    negatives : list of ndarray, float32 (n,)
        Real recordings of no class.
    outputs : int
        Number of labels; the last is background.
    """

    def __init__(
        self,
        recordings: list[tuple[NDArray[np.float32], int, bool]],
        negatives: list[NDArray[np.float32]],
        outputs: int,
        spec: FeatureSpec,
        recipe: FeedRecipe,
    ) -> None:
        self._spec, self._recipe, self._outputs = spec, recipe, outputs
        self._by_label: dict[int, list[Recording]] = {}
        for samples, label, transient in recordings:
            self._by_label.setdefault(label, []).append(analyse(samples, label, transient, spec))
        # A minute of music weighs as much as ten seconds of speech: each recording by its square root.
        self._negatives = [(samples, float(np.sqrt(len(samples)))) for samples in negatives]
        self._noise = self._noise_bank(np.random.default_rng([recipe.seed, 0]))

    def _noise_bank(self, rng: np.random.Generator, count: int = 160) -> NDArray[np.float32]:
        spec = self._spec
        noises = [
            synthetic.coloured_noise(rng, crop_samples(spec), spec.sample_rate_hz) for _ in range(count)
        ]
        return np.stack([augment.to_magnitude(log_mel(noise, spec), spec) for noise in noises])

    def chunk(self, number: int, size: int) -> Chunk:
        """Return chunk `number` (from 1) of `size` crops."""
        rng = np.random.default_rng([self._recipe.seed, number])
        spec = self._spec
        patches = np.empty((size, spec.patch_frames, spec.n_mels), np.float32)
        labels = np.zeros((size, self._outputs), np.float32)
        gains_db, noises_dbfs = np.empty(size), np.empty(size)
        partial = np.zeros(size, bool)
        for i in range(size):
            if rng.random() < self._recipe.background_share or not self._by_label:
                crop, gains_db[i], noises_dbfs[i] = self._background(rng), 0.0, rng.uniform(-95.0, -50.0)
                labels[i, -1] = 1.0
            else:
                crop, labels[i], partial[i], gains_db[i], noises_dbfs[i] = self._target(rng)
            patches[i] = log_mel(crop, spec)
        return self._channel(rng, patches, gains_db, noises_dbfs, partial), labels

    def _channel(
        self,
        rng: np.random.Generator,
        patches: NDArray[np.float32],
        gains_db: NDArray[np.float64],
        noises_dbfs: NDArray[np.float64],
        partial: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        recipe, spec, size = self._recipe, self._spec, len(patches)
        response_db = augment.equaliser_db(
            rng, size, spec.n_mels, recipe.equaliser_db
        ) + augment.band_limits_db(
            rng,
            size,
            spec.n_mels,
            low_pass_share=recipe.low_pass_share,
            high_pass_share=recipe.high_pass_share,
        )
        gain = 10.0 ** ((response_db + gains_db[:, None]) / 20.0)
        magnitude = augment.to_magnitude(patches, spec) * gain[:, None].astype(np.float32)
        floor = 10.0 ** (noises_dbfs / 20.0) * (rng.random(size) < recipe.noise_share)
        noise = self._noise[rng.integers(0, len(self._noise), size)] * floor[:, None, None].astype(np.float32)
        noise = np.roll(noise, int(rng.integers(0, spec.patch_frames)), axis=1)
        out = augment.to_log(augment.add_noise(rng, magnitude, noise), spec)
        augment.mask(rng, out, ~partial)
        return out

    def _cut(self, rng: np.random.Generator, label: int) -> tuple[Recording, NDArray[np.float32], bool]:
        choices = self._by_label[label]
        recording = choices[int(rng.integers(0, len(choices)))]
        return recording, *cut(rng, recording, self._spec)

    def _target(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool, float, float]:
        """Return a crop of a class, its label, whether it shows a part of it only, gain, noise level."""
        recipe, spec = self._recipe, self._spec
        classes = sorted(self._by_label)
        label = int(rng.choice(classes))
        recording, crop, partial = self._cut(rng, label)
        if noise_limit_dbfs(crop, 1, spec) < SILENT_DBFS:
            # Whatever else would be put into the crop, it holds nothing of the class.
            return self._background(rng), self._target_of(self._outputs - 1), False, 0.0, -95.0
        audible_dbfs = noise_limit_dbfs(crop, recording.least_active, spec)
        target = self._target_of(label)
        dice = rng.random()
        if dice < recipe.mixed_share and len(classes) > 1:
            other = int(rng.choice([c for c in classes if c != label]))
            other_recording, other_crop, other_partial = self._cut(rng, other)
            levels = frame_dbfs(crop, spec).max(), frame_dbfs(other_crop, spec).max()
            crop, share = augment.between_class(rng, crop, other_crop, levels)
            target[label], target[other] = share, 1.0 - share
            partial = partial or other_partial
            audible_dbfs = noise_limit_dbfs(
                crop, max(recording.least_active, other_recording.least_active), spec
            )
        elif dice < recipe.mixed_share + recipe.accompanied_share:
            below = audible_dbfs - rng.uniform(3.0, 25.0)
            crop = np.asarray(crop + synthetic.at_level(self._background(rng), min(below, -12.0)), np.float32)
        if rng.random() < recipe.clipped_share:
            crop = augment.clip(rng, crop)
            audible_dbfs = noise_limit_dbfs(crop, recording.least_active, spec)
        loudest_dbfs = float(frame_dbfs(crop, spec).max())
        gain_db = rng.uniform(-25.0, 6.0) if rng.random() < 0.75 else rng.uniform(-40.0, -25.0)
        gain_db = max(gain_db, min(0.0, -65.0 - loudest_dbfs))
        noise_dbfs = min(rng.uniform(-95.0, -35.0), audible_dbfs + gain_db)
        return crop, target, partial, gain_db, noise_dbfs

    def _target_of(self, label: int) -> NDArray[np.float32]:
        target = np.zeros(self._outputs, np.float32)
        target[label] = 1.0
        return target

    def _background(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return a crop of no class, sometimes one that begins or ends inside the window."""
        spec, n = self._spec, crop_samples(self._spec)
        if self._negatives and rng.random() < self._recipe.real_share:
            weights = np.array([weight for _, weight in self._negatives])
            samples, _ = self._negatives[int(rng.choice(len(weights), p=weights / weights.sum()))]
            start = int(rng.integers(0, max(1, len(samples) - n)))
            crop = np.zeros(n, np.float32)
            crop[: len(samples[start : start + n])] = samples[start : start + n]
            if rng.random() < 0.85:
                crop = synthetic.at_level(crop, rng.uniform(-60.0, -10.0))
        else:
            crop = synthetic.synthetic(rng, n, spec.sample_rate_hz)
        if rng.random() < 0.35:
            crop = crop.copy()
            fade(crop, int(rng.uniform(0.05, 0.95) * n), before=bool(rng.random() < 0.7))
        return crop


_maker: CropMaker | None = None


def _start(
    sound_file: Path,
    labels: list[int],
    transient: list[bool],
    outputs: int,
    spec: FeatureSpec,
    recipe: FeedRecipe,
) -> None:
    from model_tools.data.cache import read_cache

    global _maker
    # Ctrl-C reaches every process of the terminal; the one that trains ends this one in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stored = read_cache(sound_file)
    recordings = list(zip(stored, labels, transient, strict=False))
    _maker = CropMaker(recordings, stored[len(labels) :], outputs, spec, recipe)


def _make(number: int, size: int) -> Chunk:
    if _maker is None:
        raise RuntimeError("the process was not started by chunks()")
    return _maker.chunk(number, size)


def chunks(
    sound_file: Path,
    labels: list[int],
    transient: list[bool],
    outputs: int,
    spec: FeatureSpec,
    recipe: FeedRecipe,
    *,
    count: int,
    size: int,
    processes: int = 1,
) -> Generator[Chunk, None, None]:
    """Yield `count` chunks of `size` crops, in order, made by other processes ahead of time.

    Parameters
    ----------
    sound_file : Path
        What `cache.write_cache` wrote: the clips of classes first, then the negatives.
    labels, transient : list
        One entry per clip of a class.

    Raises
    ------
    AedError
        If such a process dies.
    """
    with ProcessPoolExecutor(
        processes, get_context("spawn"), _start, (sound_file, labels, transient, outputs, spec, recipe)
    ) as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for number in range(1, count + 1):
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
