from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training import augment


def test_magnitude_and_logarithm_are_inverse() -> None:
    log_mel = np.linspace(-9.2, 5.0, 96 * 64, dtype=np.float32).reshape(1, 96, 64)
    back = augment.to_log(augment.to_magnitude(log_mel, SPEC), SPEC)
    np.testing.assert_allclose(back, log_mel, atol=1e-3)
    silence = np.full((1, 2, 64), np.log(SPEC.log_offset), np.float32)
    assert augment.to_magnitude(silence, SPEC).max() < 1e-9


def test_between_class_labels_by_loudness_and_keeps_the_power() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 16_000)).astype(np.float32)
    shares = []
    for _ in range(50):
        mixed, share = augment.between_class(rng, one, 0.1 * other, (0.0, -20.0))
        of_one, of_other = mixed @ one / (one @ one), mixed @ other / (other @ other)
        # A share of a half means: equally loud in the mixture.
        assert (abs(of_one) > abs(of_other)) == (share > 0.5) or abs(share - 0.5) < 0.02
        shares.append(share)
    assert min(shares) < 0.1
    assert max(shares) > 0.9


def test_clipping_reaches_full_scale_and_no_further() -> None:
    rng = np.random.default_rng(0)
    clipped = augment.clip(rng, 0.01 * rng.standard_normal(1_000).astype(np.float32))
    assert np.abs(clipped).max() == 1.0
    assert np.count_nonzero(np.abs(clipped) == 1.0) > 2


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
    total = augment.add_noise(rng, sound, noise)
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
