from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training.crops import analyse, crop_samples, cut, fade, frame_dbfs, noise_limit_dbfs, stretch

RATE = SPEC.sample_rate_hz


def bark(at_s: float, length_s: float, total_s: float = 5.0) -> NDArray[np.float32]:
    """Return a burst of noise in digital silence, as ESC-10 pads its clips."""
    rng = np.random.default_rng(0)
    out = np.zeros(int(total_s * RATE), np.float32)
    start, n = int(at_s * RATE), int(length_s * RATE)
    out[start : start + n] = 0.3 * rng.standard_normal(n)
    return out


def test_analysis_finds_the_sound_and_where_it_begins() -> None:
    recording = analyse(bark(1.0, 0.4), 0, True, SPEC)
    assert np.flatnonzero(recording.active).tolist() == list(range(100, 140))
    assert recording.onsets.tolist() == [100]
    assert recording.offsets.tolist() == [139]
    assert recording.least_active == 20


def test_a_short_sound_must_be_seen_whole_enough() -> None:
    assert analyse(bark(1.0, 0.1), 0, True, SPEC).least_active == 6


def test_every_crop_shows_the_sound() -> None:
    recording = analyse(bark(2.0, 0.3), 0, True, SPEC)
    rng = np.random.default_rng(1)
    for _ in range(200):
        crop, _ = cut(rng, recording, SPEC)
        assert crop.shape == (crop_samples(SPEC),)
        assert np.count_nonzero(frame_dbfs(crop, SPEC) >= recording.floor_dbfs) >= recording.least_active - 1


def test_half_of_the_crops_of_a_transient_show_its_beginning_late_in_the_window() -> None:
    recording = analyse(bark(2.0, 0.9), 0, True, SPEC)
    rng = np.random.default_rng(2)
    late = 0
    for _ in range(300):
        crop, partial = cut(rng, recording, SPEC)
        heard = np.flatnonzero(frame_dbfs(crop, SPEC) >= recording.floor_dbfs)
        late += partial and heard[0] >= 30 and heard[-1] >= len(frame_dbfs(crop, SPEC)) - 3
    assert 0.4 <= late / 300 <= 0.6


def test_stretch_of_one_copies_and_zeros_lie_outside() -> None:
    samples = np.arange(1, 11, dtype=np.float32)
    np.testing.assert_array_equal(stretch(samples, -2.0, 5, 1.0), [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(stretch(samples, 8.0, 4, 1.0), [9, 10, 0, 0])
    np.testing.assert_allclose(stretch(samples, 1.0, 4, 0.5), [2, 2.5, 3, 3.5])


@pytest.mark.parametrize("at", [-5, 0, 3, 50, 100, 120])
def test_fade_silences_one_side(at: int) -> None:
    before, after = np.ones(100, np.float32), np.ones(100, np.float32)
    fade(before, at, before=True, length=10)
    fade(after, at, before=False, length=10)
    inside = min(max(at, 0), 100)
    assert np.all(before[inside:] == 1.0)
    assert np.all(before[: max(inside - 10, 0)] == 0.0)
    assert np.all(after[:inside] == 1.0)
    assert np.all(after[inside + 10 :] == 0.0)


def test_noise_limit_is_the_level_of_the_weakest_frame_needed() -> None:
    crop = np.zeros(crop_samples(SPEC), np.float32)
    crop[: 10 * SPEC.hop_length] = 0.1
    crop[10 * SPEC.hop_length : 20 * SPEC.hop_length] = 0.01
    assert noise_limit_dbfs(crop, 10, SPEC) == pytest.approx(-20.0, abs=0.1)
    assert noise_limit_dbfs(crop, 11, SPEC) == pytest.approx(-40.0, abs=0.1)
