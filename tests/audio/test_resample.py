"""The resampler: what it promises in decibels, and stream == batch to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from aed_daemon.audio.resample import STOP_ATTENUATION_DB, Resampler, design, passband_edge_hz
from aed_daemon.errors import AudioError

OUT = 16_000
RATES = [8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]


def tone(rate_hz: int, frequency_hz: float, seconds: float) -> NDArray[np.float32]:
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.asarray(np.sin(2 * np.pi * frequency_hz * at), np.float32)


def convert(rate_hz: int, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    resampler = Resampler(rate_hz, OUT)
    return np.concatenate([resampler.push(samples), resampler.flush()])


def amplitude_at(samples: NDArray[np.float32], frequency_hz: float) -> float:
    """Amplitude of the sine of that frequency, by least squares over the settled middle."""
    quarter = len(samples) // 4
    middle = samples[quarter : 3 * quarter].astype(np.float64)
    at = np.arange(quarter, 3 * quarter) / OUT
    basis = np.stack([np.sin(2 * np.pi * frequency_hz * at), np.cos(2 * np.pi * frequency_hz * at)], 1)
    fit, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    return float(np.hypot(*fit))


def peak(samples: NDArray[np.float32]) -> float:
    quarter = len(samples) // 4
    return float(np.abs(samples[quarter : 3 * quarter]).max())


@pytest.mark.parametrize("rate", RATES)
def test_the_passband_is_flat_within_a_tenth_of_a_decibel(rate: int) -> None:
    for frequency in np.linspace(100.0, passband_edge_hz(rate, OUT), 12):
        gain_db = 20 * np.log10(amplitude_at(convert(rate, tone(rate, frequency, 0.4)), frequency))
        assert abs(gain_db) <= 0.1, f"{frequency:.0f} Hz: {gain_db:.3f} dB"


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > OUT])
def test_what_would_alias_is_80_db_down(rate: int) -> None:
    for frequency in np.linspace(OUT / 2 + 1, rate / 2 * 0.999, 12):
        level_db = 20 * np.log10(peak(convert(rate, tone(rate, frequency, 0.4))) + 1e-12)
        assert level_db <= -80.0, f"{frequency:.0f} Hz: {level_db:.1f} dB"


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate < OUT])
def test_images_are_80_db_down(rate: int) -> None:
    for frequency in np.linspace(100.0, passband_edge_hz(rate, OUT), 8):
        out = convert(rate, tone(rate, frequency, 0.4)).astype(np.float64)
        quarter = len(out) // 4
        at = np.arange(quarter, 3 * quarter) / OUT
        basis = np.stack([np.sin(2 * np.pi * frequency * at), np.cos(2 * np.pi * frequency * at)], 1)
        fit, *_ = np.linalg.lstsq(basis, out[quarter : 3 * quarter], rcond=None)
        rest = out[quarter : 3 * quarter] - basis @ fit
        assert 20 * np.log10(np.abs(rest).max()) <= -80.0


@pytest.mark.parametrize("rate", RATES)
def test_the_design_is_scipys(rate: int) -> None:
    taps = design(rate, OUT)
    up = OUT // np.gcd(rate, OUT)
    edge, stop = passband_edge_hz(rate, OUT), min(rate, OUT) / 2
    expected = signal.firwin(
        len(taps),
        (edge + stop) / 2,
        window=("kaiser", signal.kaiser_beta(STOP_ATTENUATION_DB)),
        fs=rate * up,
    )
    np.testing.assert_allclose(taps, expected * up, atol=1e-9 * up)
    least, _ = signal.kaiserord(STOP_ATTENUATION_DB, (stop - edge) / (rate * up / 2))
    assert least - 2 <= len(taps) <= least + 3


@settings(deadline=None, max_examples=40)
@given(
    rate=st.sampled_from([*RATES, 16_000, 44_056]),
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=12),
    seed=st.integers(0, 2**31),
)
def test_stream_equals_batch(rate: int, sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=9_000).astype(np.float32)
    batch = convert(rate, samples)
    stream = Resampler(rate, OUT)
    parts = []
    at = turn = 0
    while at < len(samples):
        size = max(sizes[turn % len(sizes)], turn % 2)
        parts.append(stream.push(samples[at : at + size]))
        assert parts[-1].dtype == np.float32
        at, turn = at + size, turn + 1
    parts.append(stream.flush())
    np.testing.assert_array_equal(np.concatenate(parts), batch)


@pytest.mark.parametrize("rate", [*RATES, 16_000])
def test_output_has_the_length_and_the_delay_that_are_promised(rate: int) -> None:
    resampler = Resampler(rate, OUT)
    given_samples = rate // 2 + 7
    out = resampler.push(np.ones(given_samples, np.float32))
    whole = -(-given_samples * OUT // rate)
    assert whole - resampler.delay_samples - 1 <= len(out) <= whole - resampler.delay_samples + 1
    assert len(out) + len(resampler.flush()) == whole


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_arrives_at_its_time(rate: int) -> None:
    samples = np.zeros(rate, np.float32)
    samples[rate // 2] = 1.0
    out = convert(rate, samples)
    expected = rate // 2 * OUT / rate
    assert abs(int(np.abs(out).argmax()) - expected) <= 0.5
    power = out.astype(np.float64) ** 2
    assert float((power * np.arange(len(out))).sum() / power.sum()) == pytest.approx(expected, abs=0.05)


def test_a_rate_that_would_take_a_huge_filter_is_refused() -> None:
    with pytest.raises(AudioError, match="multiple of 4 Hz"):
        Resampler(44_101, OUT)


def test_after_a_reset_nothing_of_before_is_left() -> None:
    samples = np.random.default_rng(1).normal(size=5_000).astype(np.float32)
    used = Resampler(44_100, OUT)
    used.push(samples[::-1].copy())
    used.reset()
    np.testing.assert_array_equal(used.push(samples), Resampler(44_100, OUT).push(samples))


def test_the_models_own_rate_passes_untouched() -> None:
    samples = np.random.default_rng(1).normal(size=500).astype(np.float32)
    resampler = Resampler(OUT, OUT)
    np.testing.assert_array_equal(resampler.push(samples), samples)
    assert resampler.delay_samples == 0
    assert len(resampler.flush()) == 0
