from __future__ import annotations

from collections.abc import Iterator

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.features import MelStream, PatchStream, log_mel, mel_table
from aed_daemon.spec import YAMNET_256 as SPEC
from tests.recordings import esc10, speech

Samples = NDArray[np.float32]


def noise(count: int, seed: int = 0, amplitude: float = 0.1) -> Samples:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal(count) * amplitude, np.float32)


def tone(hz: float, seconds: float = 2.0) -> Samples:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(int(16_000 * seconds)) / 16_000), np.float32)


def by_librosa(samples: Samples) -> NDArray[np.float64]:
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=16_000, n_fft=512, win_length=400, hop_length=160, window="hann",
        center=False, power=1.0, n_mels=64, fmin=125.0, fmax=7_500.0, htk=True, norm=None,
    )  # fmt: skip
    return np.asarray(np.log(mel + 1e-4).T)


def assert_equals_librosa(samples: Samples) -> None:
    ours, theirs = log_mel(samples, SPEC), by_librosa(samples)
    # librosa pads the window to n_fft, so that it wants 56 samples more for the last frame.
    assert 0 <= len(ours) - len(theirs) <= 1
    assert len(theirs) > 0
    np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("amplitude", [1e-5, 1e-3, 0.1, 1.0])
def test_equals_librosa_on_noise(amplitude: float) -> None:
    assert_equals_librosa(noise(16_000, amplitude=amplitude))


@pytest.mark.parametrize("hz", [50.0, 125.0, 440.0, 1_000.0, 7_499.0, 7_900.0])
def test_equals_librosa_on_tones(hz: float) -> None:
    assert_equals_librosa(tone(hz))


def test_equals_librosa_on_digital_silence() -> None:
    silence = np.zeros(16_000, np.float32)
    assert_equals_librosa(silence)
    assert np.array_equal(log_mel(silence, SPEC), np.full((98, 64), np.float32(np.log(1e-4))))


def test_equals_librosa_on_sound_that_falls_silent() -> None:
    samples = noise(32_000)
    samples[12_345:25_000] = 0.0
    assert_equals_librosa(samples)


@pytest.mark.data
def test_equals_librosa_on_speech() -> None:
    for path in speech():
        assert_equals_librosa(decode(path, 16_000))


@pytest.mark.data
def test_equals_librosa_on_every_kind_of_clip() -> None:
    first_of_class = dict(reversed(esc10(fold=1)))
    assert len(first_of_class) == 10
    for path in first_of_class.values():
        assert_equals_librosa(decode(path, 16_000))


def test_the_table_is_librosas_filter_bank() -> None:
    table = mel_table(SPEC)
    bank = np.zeros((64, 257))
    offset = 0
    for band, (start, length) in enumerate(zip(table.start, table.length, strict=True)):
        bank[band, start : start + length] = table.weights[offset : offset + length]
        offset += length
    assert offset == len(table.weights)
    reference = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=125.0, fmax=7_500.0, htk=True, norm=None, dtype=np.float64
    )
    np.testing.assert_allclose(bank, reference, atol=1e-12)


def chunks(samples: Samples, sizes: list[int]) -> Iterator[Samples]:
    """Divide `samples` into pieces of the given sizes, again and again."""
    at = 0
    while at < len(samples):
        for size in sizes:
            yield samples[at : at + size]
            at += size


SIZES = st.lists(st.integers(0, 3_000), min_size=1, max_size=8).filter(any)


@settings(deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 2**32 - 1), count=st.integers(0, 20_000))
def test_stream_equals_batch(sizes: list[int], seed: int, count: int) -> None:
    samples = noise(count, seed)
    stream = MelStream(SPEC)
    rows = np.concatenate(
        [stream.push(chunk) for chunk in chunks(samples, sizes)] or [log_mel(samples, SPEC)]
    )
    assert np.array_equal(rows, log_mel(samples, SPEC))


def test_a_stream_that_is_reset_starts_anew() -> None:
    stream = MelStream(SPEC)
    stream.push(noise(12_345, seed=1))
    stream.reset()
    assert np.array_equal(stream.push(noise(5_000, seed=2)), log_mel(noise(5_000, seed=2), SPEC))


def test_a_reset_midway_leaves_nothing_behind() -> None:
    stream = MelStream(SPEC)
    stream.push(np.full(1_111, np.nan, np.float32))
    stream.reset()
    assert np.isfinite(stream.push(noise(5_000))).all()


def test_a_frame_comes_when_its_delay_says() -> None:
    stream = MelStream(SPEC)
    middle = SPEC.n_fft // 2
    assert len(stream.push(noise(middle + stream.delay_samples - 1))) == 0
    assert len(stream.push(noise(1))) == 1
    assert len(stream.push(noise(159))) == 0
    assert len(stream.push(noise(1))) == 1


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6).filter(any), hop=st.integers(1, 96),
       count=st.integers(0, 700))  # fmt: skip
@settings(deadline=None)
def test_patches_are_windows_of_the_spectrogram(sizes: list[int], hop: int, count: int) -> None:
    rows = np.random.default_rng(0).standard_normal((count, SPEC.n_mels)).astype(np.float32)
    stream = PatchStream(SPEC, hop)
    patches = [patch for chunk in chunks(rows, sizes) for patch in stream.push(chunk)]
    assert [patch.first_frame for patch in patches] == list(range(0, count - 95, hop))
    for patch in patches:
        assert np.array_equal(patch.rows, rows[patch.first_frame : patch.first_frame + 96])


def test_patches_start_anew_after_a_reset() -> None:
    stream = PatchStream(SPEC, 24)
    stream.push(np.full((150, SPEC.n_mels), np.nan, np.float32))
    stream.reset()
    rows = np.random.default_rng(0).standard_normal((96, SPEC.n_mels)).astype(np.float32)
    (patch,) = stream.push(rows)
    assert patch.first_frame == 0
    assert np.array_equal(patch.rows, rows)


@pytest.mark.parametrize("hop", [0, 97, -1])
def test_a_hop_that_leaves_frames_out_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match="hop_frames"):
        PatchStream(SPEC, hop)
