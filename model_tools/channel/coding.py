"""An encoder followed by its decoder, in this process: FFmpeg's by PyAV, and libsndfile's.

The ffmpeg program takes 130 to 650 ms for a clip of five seconds, most of it to start twice; the
same libraries called from here take 10 to 40 ms. PyAV's wheels also bring an encoder of AMR, which
Debian's FFmpeg lacks. GSM full rate they lack, and libsndfile has.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from model_tools.channel.rate import convert, fit

Samples = NDArray[np.float32]

_SPARE_S = 0.2
"""Silence after the sound, so that the last of it comes out of every codec."""


@dataclass(frozen=True)
class Coding:
    """An encoder of FFmpeg with its settings, and the decoder.

    Attributes
    ----------
    encoder, decoder : str
        FFmpeg's names.
    rate_hz : int
        Rate at which it runs.
    sample_format : str
        What the encoder takes: "s16", "flt" or "fltp".
    delay_samples : int
        By how many samples the decoded sound is late, measured; the tests measure it again.
    bit_rate : int or None
        Bit/s, or None where it follows from the rest.
    options, decoder_options : dict
        Options of the encoder and of the decoder.
    block_samples : int
        Samples given to the encoder at a time, where it leaves that open.
    """

    encoder: str
    decoder: str
    rate_hz: int
    sample_format: str = "s16"
    delay_samples: int = 0
    bit_rate: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    decoder_options: dict[str, str] = field(default_factory=dict)
    block_samples: int = 1024


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Return 16-bit samples, int16 (n,): rounded, and clipped at full scale."""
    rounded = np.rint(samples * np.float32(32_768.0))
    return np.asarray(np.clip(rounded, -32_768, 32_767), np.int16)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise AedError(
            "codecs need the Python package av, which cannot be imported",
            got=str(error),
            hint="Install it with: pip install av",
        ) from None
    return av


def _codec(av: Any, name: str, mode: str) -> Any:
    try:
        return av.codec.Codec(name, mode)
    except ValueError:  # UnknownCodecError is one
        kind = "encoder" if mode == "w" else "decoder"
        raise AedError(
            f"the FFmpeg inside the package av has no {kind} {name}",
            where=f"av {av.__version__}",
            hint="Install the wheel from PyPI: pip install --force-reinstall --only-binary av av",
        ) from None


def through_ffmpeg(samples: Samples, coding: Coding) -> Samples:
    """Encode and decode with FFmpeg's libraries.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        At the rate of the coding; clipped at full scale first.

    Returns
    -------
    ndarray, float32 (n,)
        At the same rate, the codec's delay taken out.

    Raises
    ------
    AedError
        If the package av is missing, or its FFmpeg lacks the encoder or the decoder.
    """
    if not len(samples):
        return samples.copy()
    av = _pyav()
    encoder = av.CodecContext.create(_codec(av, coding.encoder, "w"), "w")
    encoder.sample_rate, encoder.layout, encoder.format = coding.rate_hz, "mono", coding.sample_format
    encoder.time_base = Fraction(1, coding.rate_hz)
    if coding.bit_rate is not None:
        encoder.bit_rate = coding.bit_rate
    encoder.options = dict(coding.options)
    encoder.open()
    decoder = av.CodecContext.create(_codec(av, coding.decoder, "r"), "r")
    decoder.sample_rate, decoder.layout = coding.rate_hz, "mono"
    decoder.options = dict(coding.decoder_options)
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    size = encoder.frame_size or coding.block_samples
    # Whole blocks: some encoders refuse a last one that is shorter, others make it up.
    padded = fit(samples, -(-(len(samples) + int(_SPARE_S * coding.rate_hz)) // size) * size)
    data = to_int16(padded) if coding.sample_format.startswith("s16") else np.clip(padded, -1.0, 1.0)
    packets = []
    for start in range(0, len(data), size):
        frame = av.AudioFrame.from_ndarray(data[None, start : start + size], coding.sample_format, "mono")
        frame.sample_rate, frame.pts = coding.rate_hz, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    decoded = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    scale = np.float32(1.0 / 32_768.0) if decoded.dtype == np.int16 else np.float32(1.0)
    out = np.asarray(decoded * scale, np.float32)
    if frames[0].sample_rate != coding.rate_hz:  # Opus is always decoded at 48 kHz
        out = convert(out, frames[0].sample_rate, coding.rate_hz)
    return fit(out[coding.delay_samples :], len(samples))


def through_sndfile(samples: Samples, rate_hz: int, subtype: str) -> Samples:
    """Encode and decode with libsndfile: a WAV file in memory.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        Clipped at full scale first.
    subtype : str
        libsndfile's name of the coding, such as "GSM610".

    Raises
    ------
    AedError
        If this libsndfile was built without it.
    """
    import soundfile

    if not len(samples):
        return samples.copy()
    if subtype not in soundfile.available_subtypes("WAV"):
        raise AedError(
            f"this libsndfile cannot write {subtype}",
            where=f"soundfile {soundfile.__version__}",
            hint="Install its wheel: pip install --force-reinstall --only-binary soundfile soundfile",
        )
    spare = fit(samples, len(samples) + int(_SPARE_S * rate_hz))
    file = io.BytesIO()
    soundfile.write(file, to_int16(spare), rate_hz, subtype=subtype, format="WAV")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return fit(decoded, len(samples))
