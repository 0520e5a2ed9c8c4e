from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.clips import clip_patches, evaluate_clips, evaluate_negatives

OUTPUTS = (*SLUGS, "background")


def noise(seconds: float, level: float) -> NDArray[np.float32]:
    n = int(seconds * SPEC.sample_rate_hz)
    return (np.random.default_rng(0).standard_normal(n) * level).astype(np.float32)


def test_patches_overlap_by_a_quarter_and_the_gate_drops_silence() -> None:
    sound = noise(5.0, 0.1)
    assert len(clip_patches(sound, SPEC)) == 6
    sound[2 * SPEC.sample_rate_hz :] = 0.0
    assert len(clip_patches(sound, SPEC)) == 3


def test_a_clip_too_short_or_too_quiet_still_gives_one_patch() -> None:
    assert clip_patches(noise(0.2, 0.1), SPEC).shape == (1, SPEC.patch_frames, SPEC.n_mels)
    assert len(clip_patches(noise(5.0, 1e-5), SPEC)) == 1


def test_the_class_is_the_largest_mean_and_background_is_told() -> None:
    def scores(patches: NDArray[np.float32]) -> NDArray[np.float64]:
        out = np.zeros((len(patches), 11))
        out[:, 3], out[:, 10] = 0.4, 0.6
        return out

    result = evaluate_clips([noise(1.5, 0.1)] * 3, [3, 3, 5], OUTPUTS, scores, SPEC)
    assert (result.n, result.correct, result.background) == (3, 2, 3)
    assert result.confusion[5, 3] == 1
    assert result.as_dict()["clip_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert evaluate_negatives([noise(1.5, 0.1)], OUTPUTS, scores, SPEC)["above_0.7"] == 0
