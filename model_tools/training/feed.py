"""The crops of a training run, cut from the bank and changed anew each time.

A chunk of crops depends on the recipe's seed and on the chunk's number alone, so that a run gives
the same crops whichever process makes them, and one that was cut off goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import log_mel
from aed_daemon.spec import FeatureSpec
from model_tools.data import synthetic
from model_tools.training import augment
from model_tools.training.bank import CHANNELLED, CLEAN, FLOOR, SYNTHETIC, WARPED, Segments
from model_tools.training.cut import Cutter, Window, cutter, gather, levels

SILENT_DBFS = -85.0
"""A crop whose loudest 10 ms lie below this shows nothing, whatever clip it was cut from."""

_NOISES = 96

KIND_SHARES: Mapping[str, float] = {
    "effects": 0.5,
    "ambience": 0.05,
    "speech": 0.25,
    "music": 0.2,
    "own": 0.3,
}
"""How often the negatives are of each kind: short sounds of things are what resembles a class most, and
what a user has recorded beside the classes is what the network will hear."""

STRIDE_FRAMES = 48
"""Frames between the crops that are looked through for hard ones; a crop lies up to half as far away."""

_ONSET_SHARE = 0.3
_LEAST_SHOWN = 8
"""Frames of a background that a crop at its edge shows at least."""


@dataclass(frozen=True)
class FeedRecipe:
    """How crops are made; shares are of all crops unless said otherwise.

    Attributes
    ----------
    seed : int
        Of everything random.
    background_share : float
        Crops of no class.
    real_share, warped_share : float
        Part of those that is cut from real recordings of no class, and from clips warped until they
        are no longer their sound; the rest is synthesised.
    kind_shares : mapping of str to float
        How often the recordings of no class are of each kind, in proportion.
    edge_share : float
        Part of the backgrounds cut so that perhaps only their beginning or end is seen, as a sound
        first comes into the daemon's window.
    hard_share : float
        Part of the crops of no class that show what the network took for a class before.
    channelled_share : float
        Part of the crops of a class that went through a room, a microphone, a codec.
    mixed_share : float
        Part of the crops of a class that are mixed with another class, the label shared between them.
    accompanied_share : float
        Part of the crops of a class that get a background beside them.
    accompanied_db : (float, float)
        How far that lies below them.
    equaliser_db : float
        Largest gain of the random equaliser.
    low_pass_share, high_pass_share : float
        Crops whose channel lacks treble, or bass.
    noise_share : float
        Crops that get a noise floor of -95 to -35 dBFS.
    masks : bool
        Whether bands and frames are blanked.
    """

    seed: int = 1
    background_share: float = 0.22
    real_share: float = 0.5
    warped_share: float = 0.12
    kind_shares: Mapping[str, float] = field(default_factory=lambda: dict(KIND_SHARES))
    edge_share: float = 0.0
    hard_share: float = 0.0
    channelled_share: float = 0.45
    mixed_share: float = 0.3
    accompanied_share: float = 0.45
    accompanied_db: tuple[float, float] = (0.0, 20.0)
    equaliser_db: float = 8.0
    low_pass_share: float = 0.2
    high_pass_share: float = 0.15
    noise_share: float = 0.8
    masks: bool = True


@dataclass
class _Crops:
    """A chunk in the making: what is shown, at what gain, with what beside it."""

    windows: list[Window] = field(default_factory=list)
    gains_db: list[float] = field(default_factory=list)
    others: list[Window | None] = field(default_factory=list)
    other_gains_db: list[float] = field(default_factory=list)
    noises_dbfs: list[float] = field(default_factory=list)
    partial: list[bool] = field(default_factory=list)

    def append(
        self,
        window: Window,
        gain_db: float,
        noise_dbfs: float,
        *,
        other: Window | None = None,
        other_gain_db: float = 0.0,
        partial: bool = False,
    ) -> None:
        self.windows.append(window)
        self.gains_db.append(gain_db)
        self.others.append(other)
        self.other_gains_db.append(other_gain_db)
        self.noises_dbfs.append(noise_dbfs)
        self.partial.append(partial)


class Feed:
    """Makes the crops of a run.

    Parameters
    ----------
    bank : Segments
        All spectrograms.
    labels : sequence of int or None
        The output that each of the bank's clips teaches; None if it is not to be seen.
    transient : sequence of bool
        Per clip, whether its sound must be known from its first fraction of a second.
    sources : sequence of (str, str)
        Per clip, its kind and where it comes from. Of the negatives the kind is drawn first, then a
        clip of it; a clip weighs as the square root of its length.
    outputs : int
        Number of labels; the last is the background.
    hard : ndarray, int32 (n, 2), optional
        Segments and first frames of crops that a network took for a class; see `mining`.
    """

    def __init__(
        self,
        bank: Segments,
        labels: Sequence[int | None],
        transient: Sequence[bool],
        sources: Sequence[tuple[str, str]],
        outputs: int,
        spec: FeatureSpec,
        recipe: FeedRecipe,
        hard: NDArray[np.int32] | None = None,
    ) -> None:
        self._bank, self._spec, self._recipe, self._outputs = bank, spec, recipe, outputs
        self._patch = spec.patch_frames
        self._by_label: dict[int, list[dict[int, list[Cutter]]]] = {}
        warped: list[int] = []
        real: dict[int, list[int]] = {}
        by_clip: dict[int, dict[int, list[Cutter]]] = {}
        for number, (clip, kind) in enumerate(zip(bank.clip.tolist(), bank.kind.tolist(), strict=True)):
            label = labels[clip] if clip >= 0 else None
            if label is None:
                continue
            if label == outputs - 1:
                real.setdefault(clip, []).append(number)
            elif kind == WARPED:
                warped.append(number)
            else:
                part = cutter(bank, number, transient=transient[clip], patch=self._patch)
                if part.active_before[-1]:
                    if clip not in by_clip:
                        by_clip[clip] = {CLEAN: [], CHANNELLED: []}
                        self._by_label.setdefault(label, []).append(by_clip[clip])
                    by_clip[clip][kind].append(part)
        self._classes = sorted(self._by_label)
        self._warped = np.array(warped, np.int64)
        self._synthetic = np.flatnonzero(bank.kind == SYNTHETIC)
        self._hard = np.empty((0, 2), np.int32) if hard is None else hard
        self._real, self._real_ends, self.collections = _weighed(bank, real, sources, recipe.kind_shares)
        self._noise = self._noise_bank(np.random.default_rng([recipe.seed, 0]))

    def _noise_bank(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the magnitudes of coloured noise of 0 dBFS, float32 (count, 3 * patch, n_mels)."""
        spec = self._spec
        n = (3 * self._patch - 1) * spec.hop_length + spec.n_fft
        noises = (synthetic.coloured_noise(rng, n, spec.sample_rate_hz) for _ in range(_NOISES))
        return np.stack([np.exp(log_mel(noise, spec)) - np.float32(spec.log_offset) for noise in noises])

    def chunk(self, number: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return chunk `number` (from 1) of `size` crops.

        Returns
        -------
        ndarray, float32 (size, patch_frames, n_mels)
            Log-mel patches.
        ndarray, float32 (size, outputs)
            Their labels.
        """
        rng = np.random.default_rng([self._recipe.seed, number])
        crops, labels = _Crops(), np.zeros((size, self._outputs), np.float32)
        for i in range(size):
            if rng.random() < self._recipe.background_share or not self._classes:
                self._background(rng, crops)
                labels[i, -1] = 1.0
            else:
                self._target(rng, crops, labels[i])
        return self._render(rng, crops), labels

    def _render(self, rng: np.random.Generator, crops: _Crops) -> NDArray[np.float32]:
        recipe, spec, size = self._recipe, self._spec, len(crops.windows)
        magnitude = gather(self._bank, crops.windows, self._patch, FLOOR)
        magnitude *= _gain(crops.gains_db)
        pairs = [(i, other) for i, other in enumerate(crops.others) if other is not None]
        if pairs:
            first = [i for i, _ in pairs]
            beside = gather(self._bank, [other for _, other in pairs], self._patch, FLOOR)
            beside *= _gain([crops.other_gains_db[i] for i in first])
            magnitude[first] = augment.add(rng, magnitude[first], beside)
        response_db = augment.equaliser_db(rng, size, spec.n_mels, recipe.equaliser_db)
        response_db += augment.band_limits_db(
            rng,
            size,
            spec.n_mels,
            low_pass_share=recipe.low_pass_share,
            high_pass_share=recipe.high_pass_share,
        )
        magnitude *= np.asarray(10.0 ** (response_db / 20.0), np.float32)[:, None]
        magnitude = augment.add(rng, magnitude, self._noises(rng, crops.noises_dbfs))
        out = augment.to_log(magnitude, spec)
        if recipe.masks:
            augment.mask(rng, out, ~np.array(crops.partial))
        return out

    def _noises(self, rng: np.random.Generator, levels_dbfs: list[float]) -> NDArray[np.float32]:
        size = len(levels_dbfs)
        which = rng.integers(0, len(self._noise), size)
        start = rng.integers(0, self._noise.shape[1] - self._patch + 1, size)
        noise = self._noise[which[:, None], start[:, None] + np.arange(self._patch)]
        heard = (rng.random(size) < self._recipe.noise_share).astype(np.float32)
        return np.asarray(noise * (_gain(levels_dbfs) * heard[:, None, None]))

    def _cut(self, rng: np.random.Generator, label: int) -> tuple[Cutter, Window | None]:
        clips = self._by_label[label]
        variants = clips[rng.integers(len(clips))]
        kind = CHANNELLED if rng.random() < self._recipe.channelled_share else CLEAN
        choices = variants[kind] or variants[CLEAN if kind == CHANNELLED else CHANNELLED]
        part = choices[rng.integers(len(choices))]
        return part, part.cut(rng)

    def _target(self, rng: np.random.Generator, crops: _Crops, target: NDArray[np.float32]) -> None:
        """Append a crop of a class and write its label."""
        recipe = self._recipe
        label = self._classes[rng.integers(len(self._classes))]
        part, window = self._cut(rng, label)
        level = levels(self._bank, window, self._patch) if window else np.full(1, -120.0, np.float32)
        loudest_dbfs = float(level.max())
        if window is None or loudest_dbfs < SILENT_DBFS:
            # Whatever else would be put into the crop, it holds nothing of the class.
            self._background(rng, crops)
            target[-1] = 1.0
            return
        audible_dbfs = _audible(level, part.least_active)
        gain_db, other, other_gain_db, partial = 0.0, None, 0.0, window.partial
        dice = rng.random()
        if dice < recipe.mixed_share and len(self._classes) > 1:
            second = self._classes[rng.integers(len(self._classes))]
            other_part, other = self._cut(rng, second)
            if second != label and other is not None:
                other_level = levels(self._bank, other, self._patch)
                share = float(rng.random())
                own, others = augment.between_class_gains(share, (loudest_dbfs, float(other_level.max())))
                gain_db, other_gain_db = _db(own), _db(others)
                target[second] = 1.0 - share
                target[label] = share
                partial = partial or other.partial
                audible_dbfs = max(
                    audible_dbfs + gain_db, _audible(other_level, other_part.least_active) + other_gain_db
                )
                loudest_dbfs = max(loudest_dbfs + gain_db, float(other_level.max()) + other_gain_db)
            else:
                other = None
        elif dice < recipe.mixed_share + recipe.accompanied_share:
            other, _ = self._any_background(rng)
            beside = levels(self._bank, other, self._patch)
            other_gain_db = audible_dbfs - float(rng.uniform(*recipe.accompanied_db)) - _rms(beside)
        if not target.any():
            target[label] = 1.0
        step_db = float(rng.uniform(-25.0, 6.0) if rng.random() < 0.75 else rng.uniform(-40.0, -25.0))
        step_db = max(step_db, min(0.0, -65.0 - loudest_dbfs))
        noise_dbfs = min(float(rng.uniform(-95.0, -35.0)), audible_dbfs + step_db)
        crops.append(
            window,
            gain_db + step_db,
            noise_dbfs,
            other=other,
            other_gain_db=min(other_gain_db + step_db, 60.0),
            partial=partial,
        )

    def _any_background(self, rng: np.random.Generator) -> tuple[Window, bool]:
        """Return a crop of no class, and whether it was synthesised, at its own level."""
        recipe, dice = self._recipe, rng.random()
        if dice < recipe.real_share and self._real.size:
            at = min(int(np.searchsorted(self._real_ends, rng.random())), len(self._real) - 1)
            choices, made = self._real[at : at + 1], False
        elif dice < recipe.real_share + recipe.warped_share and self._warped.size:
            choices, made = self._warped, False
        else:
            choices, made = self._synthetic, True
        segment = int(choices[rng.integers(len(choices))])
        length = int(self._bank.length[segment])
        if recipe.edge_share and rng.random() < recipe.edge_share:
            return Window(segment, self._at_edge(rng, length), 0, self._patch, False), made
        spare = length - self._patch
        start = int(rng.integers(min(spare, 0), max(spare, 0) + 1))
        low, high = 0, self._patch
        if rng.random() < 0.35:
            at = int(rng.uniform(0.05, 0.95) * self._patch)
            low, high = (at, high) if rng.random() < 0.7 else (low, at)
        return Window(segment, start, low, high, False), made

    def _at_edge(self, rng: np.random.Generator, length: int) -> int:
        """Return the first frame of a crop that sees any part of a segment, its beginning most often."""
        first = _LEAST_SHOWN - self._patch
        if rng.random() < _ONSET_SHARE:
            return int(rng.integers(first, -self._patch // 3))
        return int(rng.integers(first, max(length - _LEAST_SHOWN, first + 1)))

    def _hard_window(self, rng: np.random.Generator) -> Window:
        segment, start = self._hard[rng.integers(len(self._hard))].tolist()
        start += int(rng.integers(-STRIDE_FRAMES // 2, STRIDE_FRAMES // 2 + 1))
        start = min(max(start, _LEAST_SHOWN - self._patch), int(self._bank.length[segment]) - _LEAST_SHOWN)
        return Window(segment, start, 0, self._patch, False)

    def _background(self, rng: np.random.Generator, crops: _Crops) -> None:
        if self._recipe.hard_share and len(self._hard) and rng.random() < self._recipe.hard_share:
            window, made = self._hard_window(rng), False
        else:
            window, made = self._any_background(rng)
        gain_db = 0.0
        if not made and rng.random() < 0.85:
            rms = _rms(levels(self._bank, window, self._patch))
            gain_db = float(rng.uniform(-60.0, -10.0)) - max(rms, -90.0)
        crops.append(window, min(gain_db, 40.0), float(rng.uniform(-95.0, -50.0)))


def _weighed(
    bank: Segments,
    real: dict[int, list[int]],
    sources: Sequence[tuple[str, str]],
    kind_shares: Mapping[str, float],
) -> tuple[NDArray[np.int64], NDArray[np.float64], dict[str, float]]:
    """Return the negatives' segments, their cumulated weights, and each collection's share."""
    segments: list[int] = []
    weights: list[float] = []
    kinds: dict[str, float] = {}
    for clip, numbers in real.items():
        weight = float(np.sqrt(bank.length[numbers].sum()))
        kinds[sources[clip][0]] = kinds.get(sources[clip][0], 0.0) + weight
        segments += numbers
        weights += [weight / len(numbers)] * len(numbers)
    shares = {kind: kind_shares.get(kind, 0.1) for kind in kinds}
    total = sum(shares.values())
    of = [sources[clip] for clip, numbers in real.items() for _ in numbers]
    scaled = [w * shares[kind] / total / kinds[kind] for w, (kind, _) in zip(weights, of, strict=True)]
    collections: dict[str, float] = {}
    for weight, (_, collection) in zip(scaled, of, strict=True):
        collections[collection] = collections.get(collection, 0.0) + weight
    return np.array(segments, np.int64), np.cumsum(scaled), collections


def _audible(level: NDArray[np.float32], least_active: int) -> float:
    """Return the level in dBFS of the noise in which `least_active` frames can still be heard."""
    return float(np.sort(level)[-min(least_active, len(level))])


def _rms(level: NDArray[np.float32]) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (level / 10.0)) + 1e-12))


def _db(gain: float) -> float:
    return float(20.0 * np.log10(max(gain, 1e-4)))


def _gain(levels_db: Sequence[float]) -> NDArray[np.float32]:
    return np.asarray(10.0 ** (np.array(levels_db) / 20.0), np.float32)[:, None, None]
