from __future__ import annotations

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training.bank import FLOOR
from model_tools.training.cut import Window, cutter, gather, levels
from tests.model_tools.training.banks import as_recorded, bank_of, bark

PATCH = SPEC.patch_frames


def test_the_sound_is_found_and_where_it_begins_and_ends() -> None:
    found = cutter(bank_of((0, as_recorded(bark(1.0, 0.4)))), 0, transient=True, patch=PATCH)
    assert found.onsets.tolist() == [100]
    assert found.offsets.tolist() == [139]
    assert found.active_before[-1] == 40
    assert found.least_active == 20


def test_a_short_sound_must_be_seen_whole_enough() -> None:
    assert cutter(bank_of((0, as_recorded(bark(1.0, 0.1)))), 0, transient=True, patch=PATCH).least_active == 6


def test_every_crop_shows_the_sound() -> None:
    bank = bank_of((0, as_recorded(bark(2.0, 0.3))))
    found, rng = cutter(bank, 0, transient=True, patch=PATCH), np.random.default_rng(1)
    for _ in range(200):
        window = found.cut(rng)
        assert window is not None
        assert np.count_nonzero(levels(bank, window, PATCH) > -40.0) >= found.least_active


def test_half_of_the_crops_of_a_transient_show_its_beginning_late_in_the_window() -> None:
    bank = bank_of((0, as_recorded(bark(2.0, 0.9))))
    found, rng = cutter(bank, 0, transient=True, patch=PATCH), np.random.default_rng(2)
    late = 0
    for _ in range(300):
        window = found.cut(rng)
        assert window is not None
        heard = np.flatnonzero(levels(bank, window, PATCH) > -40.0)
        late += window.partial and heard[0] >= 30 and heard[-1] >= PATCH - 2
    assert 0.4 <= late / 300 <= 0.6


def test_silence_cannot_be_cut() -> None:
    silent = cutter(bank_of((0, as_recorded(np.zeros(80_000, np.float32)))), 0, transient=False, patch=PATCH)
    assert silent.cut(np.random.default_rng(0)) is None


@pytest.mark.parametrize("start", [-30, 0, 470, 600])
def test_outside_the_segment_and_the_seen_part_there_is_nothing(start: int) -> None:
    noise = bark(0.0, 5.0)
    bank = bank_of((0, as_recorded(bark(0.0, 1.0))), (1, as_recorded(noise)))
    length = int(bank.length[1])
    shown = gather(bank, [Window(1, start, 10, 80, False)], PATCH, FLOOR)[0]
    heard = levels(bank, Window(1, start, 10, 80, False), PATCH)
    frames = start + np.arange(PATCH)
    inside = (np.arange(PATCH) >= 10) & (np.arange(PATCH) < 80) & (frames >= 0) & (frames < length)
    assert (shown.max(axis=1) > 1e-6).tolist() == inside.tolist()
    assert (heard > -120.0).tolist() == inside.tolist()


def test_what_is_gathered_is_the_magnitude_of_the_frames() -> None:
    samples = bark(0.5, 2.0)
    bank = bank_of((0, as_recorded(samples)))
    from aed_daemon.features import log_mel

    expected = np.exp(log_mel(samples, SPEC)[60 : 60 + PATCH]) - SPEC.log_offset
    shown = gather(bank, [Window(0, 60, 0, PATCH, False)], PATCH, FLOOR)[0]
    np.testing.assert_allclose(shown, expected, rtol=0.01, atol=1e-5)
