"""Hard negatives: windows of recordings of no class that a network takes for one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training.feed import STRIDE_FRAMES
from model_tools.training.mining import HARD, hard_windows
from tests.model_tools.training.banks import as_recorded, bank_of, bark

BURST = (2.0, 2.5)
"""In the recording of no class, s."""


def probability_of_sound(patches: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a class as likely as its share of the patch that sounds."""
    share = (patches > np.log(SPEC.log_offset) + 0.01).any(axis=2).mean(axis=1)
    return np.stack([share, np.zeros(len(share)), 1.0 - share], axis=1)


def test_windows_are_listed_as_often_as_they_are_wrong() -> None:
    recording = as_recorded(bark(BURST[0], BURST[1] - BURST[0]))
    bank = bank_of((0, as_recorded(bark(0.0, 4.0, seed=1))), (1, recording), (2, recording))
    found = hard_windows(bank, [0, 2, None], 3, SPEC, probability_of_sound)
    assert set(found[:, 0].tolist()) == {1}
    frames = np.arange(SPEC.patch_frames)
    loud = np.isin(np.arange(len(recording.frames)), np.arange(round(100 * BURST[0]), round(100 * BURST[1])))
    for start, often in zip(*np.unique(found[:, 1], return_counts=True), strict=True):
        share = loud[np.clip(start + frames, 0, len(loud) - 1)].mean()
        assert often in {sum(share + slack > limit for limit in HARD) for slack in (-0.04, 0.0, 0.04)}
    assert (np.diff(np.unique(found[:, 1])) == STRIDE_FRAMES).all()


def test_a_recordings_beginning_is_looked_at_too() -> None:
    bank = bank_of((0, as_recorded(bark(0.0, 2.0, total_s=2.0))))
    found = hard_windows(bank, [2], 3, SPEC, probability_of_sound)
    assert found[:, 1].min() < 0


def test_without_recordings_there_is_none() -> None:
    bank = bank_of((0, as_recorded(bark(0.0, 2.0))))
    assert hard_windows(bank, [0], 3, SPEC, probability_of_sound).shape == (0, 2)
