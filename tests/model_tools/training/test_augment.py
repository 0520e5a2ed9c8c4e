from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training import augment


def test_silence_is_the_log_of_the_offset() -> None:
    silence = augment.to_log(np.zeros((1, 2, 64), np.float32), SPEC)
    np.testing.assert_allclose(silence, np.log(SPEC.log_offset), rtol=1e-6)


def test_between_class_gains_make_the_share_what_is_heard_and_keep_the_power() -> None:
    for share in (0.1, 0.5, 0.8):
        # The first is 20 dB louder; in the mixture the two are as loud as their shares say.
        first, second = augment.between_class_gains(share, (0.0, -20.0))
        assert first / (first + 0.1 * second) == pytest.approx(share, abs=1e-3)
        assert first**2 + second**2 == pytest.approx(1.0)


def test_equaliser_is_smooth_and_bounded() -> None:
    response = augment.equaliser_db(np.random.default_rng(0), 200, 64, 8.0)
    assert np.abs(response).max() <= 8.0
    assert np.abs(np.diff(response, axis=1)).max() < 16.0 / (64 / 5) + 0.1
    assert response.std() > 1.0


def test_band_limits_take_away_treble_or_bass_in_the_share_asked_for() -> None:
    response = augment.band_limits_db(
        np.random.default_rng(0), 2_000, 64, low_pass_share=0.3, high_pass_share=0.2
    )
    assert response.max() <= 0.0
    assert (response[:, -1] < -10).mean() == pytest.approx(0.3, abs=0.05)
    assert (response[:, 0] < -1).mean() == pytest.approx(0.2, abs=0.05)
    assert np.all(response[:, 18:27] == 0.0)


def test_noise_adds_in_power() -> None:
    rng = np.random.default_rng(0)
    sound, noise = np.full((4, 96, 64), 3.0, np.float32), np.full((4, 96, 64), 4.0, np.float32)
    total = augment.add(rng, sound, noise)
    assert total.min() >= 1.0 - 1e-3
    assert total.max() <= 7.0 + 1e-3
    assert np.mean(total**2) == pytest.approx(25.0, rel=0.02)


def test_masks_spare_the_frames_of_a_sound_that_has_hardly_begun() -> None:
    rng = np.random.default_rng(0)
    patches = rng.uniform(0, 1, (200, 96, 64)).astype(np.float32)
    masked = patches.copy()
    allowed = np.arange(200) % 2 == 0
    augment.mask(rng, masked, allowed)
    frames_gone = (masked == masked.min(axis=(1, 2), keepdims=True)).all(axis=2).any(axis=1)
    assert frames_gone[allowed].mean() > 0.3
    assert not frames_gone[~allowed].any()
    assert (masked != patches).any(axis=(1, 2)).mean() > 0.5
