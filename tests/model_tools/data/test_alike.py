from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

from model_tools.data.alike import RATE_HZ, SAME, likeness

Samples = NDArray[np.float64]


def crackling(seed: int, seconds: float = 3.0) -> Samples:
    """Return clicks of random strength and colour at random times, over a little noise."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 1e-3, int(seconds * RATE_HZ))
    for at in rng.integers(0, len(sound) - 800, int(40 * seconds)):
        click = rng.normal(0, 1, 800) * np.exp(-np.arange(800) / rng.uniform(20, 300))
        sound[at : at + 800] += rng.uniform(0.02, 0.4) * click
    return np.asarray(sound / np.abs(sound).max() * 0.5)


def write(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


def test_a_recording_is_known_again_whatever_was_done_to_it(tmp_path: Path) -> None:
    original = crackling(1)
    among = [write(tmp_path / f"{seed}.wav", crackling(seed)) for seed in (2, 3)]
    among.append(write(tmp_path / "original.wav", original))
    low_pass = butter(2, 5_000, output="sos", fs=RATE_HZ)
    copies = [
        write(tmp_path / "trimmed.wav", original[7_000:25_000]),
        write(tmp_path / "quiet.wav", 0.2 * original),
        write(tmp_path / "dull.wav", sosfilt(low_pass, original)),
        write(tmp_path / "fast.wav", resample_poly(original, 3, 1), 3 * RATE_HZ),
        write(tmp_path / "coded.ogg", original),
        write(tmp_path / "longer.wav", np.concatenate([crackling(9), original])),
    ]
    assert min(likeness(copies, among)) >= SAME


def test_another_recording_of_the_kind_is_not_the_same(tmp_path: Path) -> None:
    among = [write(tmp_path / f"{seed}.wav", crackling(seed)) for seed in range(4)]
    others = [write(tmp_path / f"{seed}.wav", crackling(seed)) for seed in range(4, 8)]
    assert max(likeness(others, among)) < SAME


def test_silence_and_short_sounds_are_compared_without_trouble(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros(RATE_HZ))
    short = write(tmp_path / "short.wav", crackling(1, 0.2))
    among = [write(tmp_path / "other.wav", crackling(2)), write(tmp_path / "tiny.wav", np.zeros(10))]
    assert likeness([silent], among) == [pytest.approx(0.0, abs=0.05)]
    assert likeness([short], [short])[0] >= SAME
    assert likeness([], among) == []
