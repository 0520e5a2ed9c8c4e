"""Speech and music codecs as phones, recorders and radio links use them.

Each converts to the codec's rate, encodes, decodes and converts back; the result is aligned with the
input. Left out: Speex, for which PyAV has no encoder (G.723.1, GSM, AMR and Opus are of its family).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_tools.channel.coding import Coding, through_ffmpeg, through_sndfile
from model_tools.channel.rate import convert, fit

Samples = NDArray[np.float32]

OPUS_RATES_HZ = (8_000, 12_000, 16_000)
"""Narrow, medium and wide band."""

AMR_NB_BIT_RATES = (4_750, 5_150, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200)

_NARROW_HZ = 8_000

_G726_ROOM = np.float32(0.6)
"""Full scale as FFmpeg's G.726 gets it: from 0.9 on its sums overflow and come out with the other sign."""


def _by_ffmpeg(samples: Samples, rate_hz: int, coding: Coding) -> Samples:
    coded = through_ffmpeg(convert(samples, rate_hz, coding.rate_hz), coding)
    return fit(convert(coded, coding.rate_hz, rate_hz), len(samples))


def opus(
    samples: Samples,
    rate_hz: int,
    *,
    bit_rate: int = 12_000,
    application: Literal["voip", "audio"] = "voip",
    band_hz: int = 16_000,
    complexity: int = 10,
) -> Samples:
    """Return the sound after Opus.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        The sound.
    rate_hz : int
        Its rate, and that of the result.
    bit_rate : int
        Mean bit/s; variable bit rate, as is libopus's default.
    application : str
        What libopus tunes for.
    band_hz : int
        Sampling rate at the encoder, one of `OPUS_RATES_HZ`: narrow, medium, wide band.
    complexity : int
        0 to 10; phones use about 5.

    Raises
    ------
    AedError
        As `coding.through_ffmpeg`.
    """
    options = {"application": application, "compression_level": str(complexity)}
    return _by_ffmpeg(
        samples, rate_hz, Coding("libopus", "libopus", band_hz, "flt", 0, bit_rate, options=options)
    )


def amr_nb(samples: Samples, rate_hz: int, *, bit_rate: int = 12_200) -> Samples:
    """Return the sound after AMR narrow band, at one of `AMR_NB_BIT_RATES`; raises as `opus`."""
    return _by_ffmpeg(
        samples, rate_hz, Coding("libopencore_amrnb", "libopencore_amrnb", _NARROW_HZ, "s16", 40, bit_rate)
    )


def gsm(samples: Samples, rate_hz: int) -> Samples:
    """Return the sound after GSM full rate (06.10, 13 kbit/s at 8 kHz).

    Raises
    ------
    AedError
        If libsndfile was built without it.
    """
    coded = through_sndfile(convert(samples, rate_hz, _NARROW_HZ), _NARROW_HZ, "GSM610")
    return fit(convert(coded, _NARROW_HZ, rate_hz), len(samples))


def mp3(samples: Samples, rate_hz: int, *, bit_rate: int = 24_000, at_hz: int = 16_000) -> Samples:
    """Return the sound after MP3 (LAME, constant bit rate) at 8, 11.025, 12 or 16 kHz; raises as `opus`."""
    return _by_ffmpeg(samples, rate_hz, Coding("libmp3lame", "mp3float", at_hz, "fltp", 0, bit_rate))


def aac(samples: Samples, rate_hz: int, *, bit_rate: int = 16_000, at_hz: int = 16_000) -> Samples:
    """Return the sound after AAC-LC at 8, 11.025, 12 or 16 kHz; raises as `opus`."""
    return _by_ffmpeg(samples, rate_hz, Coding("aac", "aac", at_hz, "fltp", 1024, bit_rate))


def g722(samples: Samples, rate_hz: int) -> Samples:
    """Return the sound after G.722 (wide band, 64 kbit/s); raises as `opus`."""
    return _by_ffmpeg(samples, rate_hz, Coding("g722", "g722", 16_000, "s16", 22, 64_000))


def g723_1(samples: Samples, rate_hz: int) -> Samples:
    """Return the sound after G.723.1 at 6.3 kbit/s; raises as `opus`."""
    return _by_ffmpeg(samples, rate_hz, Coding("g723_1", "g723_1", _NARROW_HZ, "s16", 60, 6_300))


def g726(samples: Samples, rate_hz: int, *, bits: int = 4) -> Samples:
    """Return the sound after G.726 with 2 to 5 bits a sample (16 to 40 kbit/s at 8 kHz); raises as `opus`."""
    decoder_options = {"bits_per_coded_sample": str(bits)}
    coding = Coding("g726", "g726", _NARROW_HZ, "s16", 0, bits * _NARROW_HZ, decoder_options=decoder_options)
    return _by_ffmpeg(np.clip(samples, -1.0, 1.0) * _G726_ROOM, rate_hz, coding) / _G726_ROOM


def msbc(samples: Samples, rate_hz: int) -> Samples:
    """Return the sound after mSBC, a Bluetooth headset's wide-band speech; raises as `opus`."""
    coding = Coding("sbc", "sbc", 16_000, "s16", 73, options={"msbc": "1"})
    return _by_ffmpeg(samples, rate_hz, coding)


def adpcm(
    samples: Samples,
    rate_hz: int,
    *,
    family: Literal["IMA_ADPCM", "MS_ADPCM"] = "IMA_ADPCM",
    at_hz: int = 8_000,
) -> Samples:
    """Return the sound after four-bit ADPCM, as cheap recorders store it; raises as `gsm`."""
    coded = through_sndfile(convert(samples, rate_hz, at_hz), at_hz, family)
    return fit(convert(coded, at_hz, rate_hz), len(samples))


def g711(samples: Samples, rate_hz: int, *, law: Literal["mulaw", "alaw"] = "mulaw") -> Samples:
    """Return the sound after G.711, eight bits a sample at 8 kHz; raises as `opus`."""
    return _by_ffmpeg(samples, rate_hz, Coding(f"pcm_{law}", f"pcm_{law}", _NARROW_HZ))
