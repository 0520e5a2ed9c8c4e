from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel.digital import drop_frames, lost_frames, offset, quantise
from tests.model_tools.channel.measures import RATE_HZ, calls, dbfs, noise


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_error_is_that_of_so_many_bits(bits: int) -> None:
    out = quantise(noise(), bits)
    step_db = 20 * np.log10(2.0 ** (1 - bits))
    assert dbfs(out - noise()) == pytest.approx(step_db - 10.79, abs=0.1)  # a twelfth of a step squared
    dithered = quantise(noise(), bits, np.random.default_rng(1))
    assert dbfs(dithered - noise()) == pytest.approx(step_db - 6.02, abs=0.1)  # a quarter
    assert np.array_equal(out * 2 ** (bits - 1), np.rint(out * 2 ** (bits - 1)))


def test_dither_keeps_what_is_smaller_than_a_step() -> None:
    small = np.full(RATE_HZ, 0.3 / 32_768, np.float32)
    assert not quantise(small, 16).any()
    assert quantise(small, 16, np.random.default_rng(1)).mean() == pytest.approx(0.3 / 32_768, rel=0.1)


def test_full_scale_is_clipped() -> None:
    out = quantise(np.array([-2.0, 2.0], np.float32), 8)
    np.testing.assert_allclose(out, [-1.0, 127 / 128])
    np.testing.assert_allclose(offset(np.array([0.99, 0.0], np.float32), 0.05), [1.0, 0.05])


def test_frames_are_lost_at_the_rate_and_in_bursts() -> None:
    for share, burst in ((0.05, 1.0), (0.05, 3.0), (0.2, 2.0)):
        lost = lost_frames(np.random.default_rng(1), 200_000, share, burst)
        assert lost.mean() == pytest.approx(share, rel=0.05)
        runs = np.count_nonzero(np.diff(lost.astype(int)) == 1)
        assert lost.sum() / runs == pytest.approx(burst, rel=0.1 if burst > 1.0 else 0.05)
    assert lost_frames(np.random.default_rng(1), 0, 0.1, 2.0).shape == (0,)


def test_lost_frames_are_silent_or_repeated() -> None:
    sound = calls(0.21)
    lost = np.zeros(11, bool)
    lost[[0, 4, 5, 10]] = True
    zero = drop_frames(sound, RATE_HZ, lost, "zero")
    again = drop_frames(sound, RATE_HZ, lost, "repeat")
    for frame in range(11):
        part = slice(frame * 320, (frame + 1) * 320)
        if not lost[frame]:
            np.testing.assert_array_equal(zero[part], sound[part])
            np.testing.assert_array_equal(again[part], sound[part])
        else:
            assert not zero[part].any()
    assert not again[:320].any()
    np.testing.assert_allclose(again[4 * 320 : 5 * 320], sound[3 * 320 : 4 * 320] / 2)
    np.testing.assert_allclose(again[5 * 320 : 6 * 320], sound[3 * 320 : 4 * 320] / 4)
    np.testing.assert_allclose(again[3_200:], sound[9 * 320 : 9 * 320 + 160] / 2)
    assert zero.shape == again.shape == sound.shape
