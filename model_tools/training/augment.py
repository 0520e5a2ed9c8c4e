"""What may happen to a mel spectrogram on its way to the network: mixtures, filters, noise, masks.

A gain, a filter and a sum of sounds are the same on mel magnitudes as on waveforms, or nearly so,
and a whole batch of them costs next to nothing. What is not (speed, rooms, codecs, overdrive) is
done to the waveform by `model_tools.channel`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import FeatureSpec

Mel = NDArray[np.float32]


def between_class_gains(share: float, levels_db: tuple[float, float]) -> tuple[float, float]:
    """Return the gains with which two sounds are mixed so that the first is heard as `share` of them.

    Parameters
    ----------
    share : float
        0 to 1: the first sound's part of the label.
    levels_db : (float, float)
        How loud each is.

    Source: Y. Tokozume, Y. Ushiku, T. Harada, "Learning from between-class examples for deep sound
    recognition", 2018, equation 2.
    """
    difference = 10.0 ** ((levels_db[0] - levels_db[1]) / 20.0)
    p = 1.0 / (1.0 + difference * (1.0 - share) / max(share, 1e-6))
    power = float(np.sqrt(p * p + (1.0 - p) ** 2))
    return p / power, (1.0 - p) / power


def to_log(magnitude: Mel, spec: FeatureSpec) -> Mel:
    """Mel magnitude -> log-mel."""
    return np.asarray(np.log(magnitude + np.float32(spec.log_offset)), np.float32)


def equaliser_db(rng: np.random.Generator, count: int, n_mels: int, range_db: float) -> Mel:
    """Return smooth random responses in dB, float32 (count, n_mels): six points joined by lines."""
    points = rng.uniform(-1.0, 1.0, (count, 6)) * rng.uniform(0.0, range_db, (count, 1))
    position = np.linspace(0.0, 5.0, n_mels)
    low = np.minimum(position.astype(int), 4)
    part = position - low
    return np.asarray(points[:, low] * (1.0 - part) + points[:, low + 1] * part, np.float32)


def band_limits_db(
    rng: np.random.Generator, count: int, n_mels: int, *, low_pass_share: float, high_pass_share: float
) -> Mel:
    """Return the responses in dB, float32 (count, n_mels), of channels that lack treble or bass.

    A low-pass begins at a random band from the 28th up (about 1.5 kHz) and takes away 15 to 90 dB;
    a high-pass ends at a random band up to the 16th (about 600 Hz). Both fall over one to six bands.
    """
    band = np.arange(n_mels)
    highest = rng.uniform(28.0 / 64.0 * n_mels, n_mels, (count, 1))
    over = np.clip((band - highest) / rng.uniform(1.0, 6.0, (count, 1)), 0.0, 1.0)
    low_pass = over * rng.uniform(15.0, 90.0, (count, 1)) * (rng.random((count, 1)) < low_pass_share)
    lowest = rng.uniform(0.0, n_mels / 4.0, (count, 1))
    under = np.clip((lowest - band) / rng.uniform(1.0, 6.0, (count, 1)), 0.0, 1.0)
    high_pass = under * rng.uniform(10.0, 60.0, (count, 1)) * (rng.random((count, 1)) < high_pass_share)
    return np.asarray(-(low_pass + high_pass), np.float32)


def add(rng: np.random.Generator, first: Mel, second: Mel) -> Mel:
    """Return the magnitudes of a sum of two sounds whose phases are independent.

    Source: |a + b exp(i phi)| with phi uniform, band by band.
    """
    phase = rng.random(first.shape, np.float32) * np.float32(2.0 * np.pi)
    square = first**2 + second**2 + np.float32(2.0) * first * second * np.cos(phase)
    return np.asarray(np.sqrt(np.maximum(square, np.float32(0.0))), np.float32)


def mask(rng: np.random.Generator, log_mel: Mel, time_allowed: NDArray[np.bool_]) -> None:
    """Blank random bands and, where allowed, random frames of a batch, in place (SpecAugment).

    Parameters
    ----------
    log_mel : ndarray, float32 (count, frames, n_mels)
        The batch. What is blanked becomes the least value of its patch.
    time_allowed : ndarray, bool (count,)
        Whether frames may go: not where only a fraction of a second of the sound is seen.

    Source: D. S. Park et al., "SpecAugment", 2019.
    """
    count, frames, bands = log_mel.shape
    for i in range(count):
        least = log_mel[i].min()
        for _ in range(int(rng.integers(0, 3))):
            width = int(rng.integers(1, max(2, bands // 8)))
            at = int(rng.integers(0, bands - width + 1))
            log_mel[i, :, at : at + width] = least
        if time_allowed[i] and rng.random() < 0.5:
            width = int(rng.integers(1, max(2, frames // 6)))
            at = int(rng.integers(0, frames - width + 1))
            log_mel[i, at : at + width] = least
