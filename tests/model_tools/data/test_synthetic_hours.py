from __future__ import annotations

import numpy as np
import pytest

from model_tools.data import synthetic, synthetic_hours
from model_tools.data.clip import PARTS, Part
from model_tools.data.synthetic_hours import KINDS, LEVELS_DBFS, Kind, hour

RATE = 16_000


@pytest.mark.parametrize("kind", KINDS)
def test_minutes_are_finite_within_full_scale_and_the_same_again(kind: Kind) -> None:
    first = list(hour(kind, "test", 3, RATE, minutes=2))
    again = list(hour(kind, "test", 3, RATE, minutes=2))
    for one, other in zip(first, again, strict=True):
        assert one.dtype == np.float32
        assert one.shape == (60 * RATE,)
        assert np.isfinite(one).all()
        assert np.abs(one).max() <= 1.0
        assert np.ptp(one) > 0
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_and_numbers_are_different_sounds(kind: Kind) -> None:
    sounds = [next(hour(kind, part, number, RATE, minutes=1)) for part in PARTS for number in (0, 1)]
    for i, one in enumerate(sounds):
        for other in sounds[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.99


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "clicks"])
def test_an_hour_covers_its_levels_evenly(kind: Kind) -> None:
    low, high = LEVELS_DBFS[kind]
    n = 10
    levels = sorted(synthetic.rms_dbfs(minute[RATE:]) for minute in hour(kind, "test", 0, RATE, minutes=n))
    bins = np.floor((np.array(levels) - low) / (high - low) * n)
    assert sum(abs(number - i) <= 1 for i, number in enumerate(bins)) >= n - 1


def test_minutes_join_without_a_step() -> None:
    """Where a loud minute of hum turns into the next, no sample jumps more than inside them."""
    one, other = hour("hum", "test", 1, RATE, minutes=2)
    inside = max(np.abs(np.diff(one)).max(), np.abs(np.diff(other)).max())
    assert abs(float(other[0]) - float(one[-1])) <= inside


def test_clicks_never_tick() -> None:
    """The gaps between clicks vary too much for a clock."""
    for number in range(3):
        (minute,) = hour("clicks", "test", number, RATE, minutes=1)
        loud = np.flatnonzero(np.abs(minute) > 0.1 * np.abs(minute).max())
        starts = loud[np.diff(loud, prepend=-RATE) > 0.05 * RATE]
        gaps = np.diff(starts)
        assert len(gaps) > 2
        assert np.std(gaps) > 0.3 * np.mean(gaps)


def test_microphone_noise_has_the_spectrum_of_a_microphone() -> None:
    """Low frequencies are louder than the middle, and every minute sounds different."""
    tilts = []
    for minute in hour("microphone_noise", "test", 0, RATE, minutes=5):
        power = np.abs(np.fft.rfft(minute)) ** 2
        hz = np.fft.rfftfreq(len(minute), 1 / RATE)
        bands = [power[(hz > a) & (hz < 2 * a)].mean() for a in (150, 1_200)]
        tilts.append(10 * np.log10(bands[0] / bands[1]))
    assert max(tilts) > 1.0
    assert np.ptp(tilts) > 1.0


@pytest.mark.parametrize(("power", "slope_db"), [(0, 0.0), (1, -3.0), (2, -6.0)])
def test_coloured_noise_is_exact(power: int, slope_db: float) -> None:
    noise = synthetic_hours.power_noise(np.random.default_rng(0), 1 << 18, RATE, power)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [10 * np.log10(spectrum[(hz >= a) & (hz < 2 * a)].mean()) for a in (500, 1_000, 2_000)]
    assert np.diff(octaves) == pytest.approx([slope_db, slope_db], abs=0.3)


def test_training_hours_use_the_families_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> synthetic.Samples:
        raise AssertionError("a family of the test part")

    monkeypatch.setattr(synthetic_hours, "_TEST", dict.fromkeys(KINDS, fails))
    parts: tuple[Part, ...] = ("training", "calibration")
    for part in parts:
        for kind in KINDS:
            assert next(hour(kind, part, 0, RATE, minutes=1)).any()
    with pytest.raises(AssertionError):
        next(hour("hum", "test", 0, RATE, minutes=1))
