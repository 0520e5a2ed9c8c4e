from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from aed_daemon.errors import AedError
from model_tools.channel import codec, coding
from tests.model_tools.channel.measures import (
    RATE_HZ,
    Samples,
    calls,
    dbfs,
    lag_samples,
    noise,
    power_db,
    spectral_distance_db,
    tone,
)

Codec = Callable[[Samples, int], Samples]

CODECS: dict[str, tuple[Codec, float]] = {
    "opus 6k narrow": (partial(codec.opus, bit_rate=6_000, band_hz=8_000), 4_000),
    "opus 8k medium": (partial(codec.opus, bit_rate=8_000, band_hz=12_000), 6_000),
    "opus 12k voip": (partial(codec.opus, bit_rate=12_000), 8_000),
    "opus 24k audio": (partial(codec.opus, bit_rate=24_000, application="audio"), 8_000),
    "amr 4.75k": (partial(codec.amr_nb, bit_rate=4_750), 4_000),
    "amr 12.2k": (partial(codec.amr_nb, bit_rate=12_200), 4_000),
    "gsm": (codec.gsm, 4_000),
    "mp3 16k": (partial(codec.mp3, bit_rate=16_000), 8_000),
    "mp3 11 kHz": (partial(codec.mp3, bit_rate=16_000, at_hz=11_025), 5_512),
    "mp3 8 kHz": (partial(codec.mp3, bit_rate=8_000, at_hz=8_000), 4_000),
    "aac 16k": (codec.aac, 8_000),
    "aac 8 kHz": (partial(codec.aac, bit_rate=12_000, at_hz=8_000), 4_000),
    "g722": (codec.g722, 8_000),
    "g723.1": (codec.g723_1, 4_000),
    "g726 16k": (partial(codec.g726, bits=2), 4_000),
    "g726 40k": (partial(codec.g726, bits=5), 4_000),
    "msbc": (codec.msbc, 8_000),
    "ima": (codec.adpcm, 4_000),
    "ms 11 kHz": (partial(codec.adpcm, family="MS_ADPCM", at_hz=11_025), 5_512),
    "mu-law": (codec.g711, 4_000),
    "a-law": (partial(codec.g711, law="alaw"), 4_000),
}
"""Each codec, and the frequency above which nothing can come out of it."""

each = pytest.mark.parametrize(("code", "top_hz"), CODECS.values(), ids=CODECS)


@each
def test_it_is_aligned_and_deterministic(code: Codec, top_hz: float) -> None:
    sound = calls()
    out = code(sound, RATE_HZ)
    assert out.dtype == np.float32
    assert out.shape == sound.shape
    assert abs(lag_samples(sound, out)) <= 8  # half a millisecond
    np.testing.assert_array_equal(code(sound, RATE_HZ), out)


@each
def test_it_changes_the_sound_but_not_beyond_recognition(code: Codec, top_hz: float) -> None:
    sound = calls()
    out = code(sound, RATE_HZ)
    error_db = dbfs(out - sound) - dbfs(sound)
    assert error_db > -45.0
    assert abs(dbfs(out) - dbfs(sound)) < 4.0
    assert spectral_distance_db(sound, out, min(top_hz, 5_000) * 0.85) < 8.0


@pytest.mark.parametrize("name", [name for name, (_, top_hz) in CODECS.items() if top_hz < RATE_HZ / 2])
def test_nothing_is_left_above_half_its_rate(name: str) -> None:
    code, top_hz = CODECS[name]
    sound = noise()
    lost_db = power_db(sound, top_hz + 300, 8_000) - power_db(code(sound, RATE_HZ), top_hz + 300, 8_000)
    assert lost_db > 60.0


@each
def test_silence_stays_quiet(code: Codec, top_hz: float) -> None:
    out = code(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    assert dbfs(out) < -60.0


@each
@pytest.mark.parametrize("seconds", [0.0, 1 / RATE_HZ, 0.2, 30.0])
def test_any_length_comes_back(code: Codec, top_hz: float, seconds: float) -> None:
    sound = calls(seconds) if seconds > 0.1 else np.full(round(seconds * RATE_HZ), 0.3, np.float32)
    out = code(sound, RATE_HZ)
    assert out.shape == sound.shape
    assert np.isfinite(out).all()
    if seconds > 1.0:
        assert abs(lag_samples(sound[-RATE_HZ:], out[-RATE_HZ:])) <= 8  # no drift


@each
def test_more_than_full_scale_is_clipped_not_wrapped(code: Codec, top_hz: float) -> None:
    sound = tone(440.0, peak=3.0)
    out = code(sound, RATE_HZ)
    middle = slice(RATE_HZ // 4, RATE_HZ * 3 // 4)
    assert np.corrcoef(out[middle], np.clip(sound, -1, 1)[middle])[0, 1] > 0.9


def test_a_lower_rate_costs_more() -> None:
    sound = calls()
    for coder, settings in (
        (codec.opus, [{"bit_rate": rate} for rate in (24_000, 12_000)]),
        (codec.amr_nb, [{"bit_rate": rate} for rate in (12_200, 4_750)]),
        (codec.g726, [{"bits": bits} for bits in (5, 4, 3, 2)]),
        (codec.mp3, [{"bit_rate": rate} for rate in (32_000, 16_000)]),
    ):
        errors = [dbfs(coder(sound, RATE_HZ, **setting) - sound) for setting in settings]
        assert errors == sorted(errors), coder.__name__
        assert errors[-1] - errors[0] > 1.0, coder.__name__


def test_mu_law_is_that_of_the_standard() -> None:
    """G.711 keeps 32 to 42 dB over its noise at every level; eight linear bits have 12 at -40 dBFS."""
    for level_dbfs in (-40.0, -30.0, -20.0):
        sound = tone(1_000.0, peak=10 ** (level_dbfs / 20))
        middle = slice(RATE_HZ // 4, RATE_HZ * 3 // 4)
        error_db = dbfs((codec.g711(sound, RATE_HZ) - sound)[middle]) - dbfs(sound[middle])
        assert -42.0 < error_db < -32.0


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AedError, match="pip install av") as caught:
        codec.opus(calls(0.2), RATE_HZ)
    assert "cannot be imported" in str(caught.value)


def test_an_encoder_that_is_missing_is_named() -> None:
    with pytest.raises(AedError, match=r"no encoder libnosuch.*pip install"):
        coding.through_ffmpeg(calls(0.2), coding.Coding("libnosuch", "opus", 16_000))
    with pytest.raises(AedError, match=r"no decoder nosuch"):
        coding.through_ffmpeg(calls(0.2), coding.Coding("libopus", "nosuch", 16_000, "flt"))


def test_a_subtype_that_is_missing_is_named() -> None:
    with pytest.raises(AedError, match=r"cannot write NO_SUCH.*pip install"):
        coding.through_sndfile(calls(0.2), RATE_HZ, "NO_SUCH")
