"""A plausible row of effects at random: room, microphone, noise, gain control, codec, link.

The distribution, each line independent of the others unless said otherwise:

===================  =====  ==============================================================================
stage                share  what is drawn
===================  =====  ==============================================================================
room                 0.50   reverberation 0.1 to 1.2 s (evenly in its logarithm), direct over
                            reverberant -14 to 15 dB
capture level        1.00   gain so that the loudest 10 ms have -45 to -6 dBFS RMS, -12 to -6 in 1 of 3;
                            at most 40 dB
microphone           0.80   `microphone.microphone`
noise floor          0.75   8 to 45 dB below the mean level of the active frames, not under -95 dBFS;
                            white to brown
overdrive            0.10   3 to 15 dB over full scale, hard or soft; not what came in below -60 dBFS
converter            0.12   8 to 12 bits, half of them with an offset of up to 0.05
noise suppression    0.15   6 to 18 dB
gain control         0.35   compressor (half), slow automatic gain (half); limited at full scale
band and codec       0.75   one of `CODECS` by its weight; a telephone's 300 to 3,400 Hz before half of
                            those that run at 8 kHz; a second codec after 1 in 12 of them
link                 0.08   1 to 8 % of the frames of 20 ms lost, 1 to 3 in a row
===================  =====  ==============================================================================

The level that comes out is part of the channel. A frame is active if its level is within 25 dB of the
clip's loudest 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_tools.channel import codec, digital, dynamics
from model_tools.channel.microphone import (
    equalise,
    grid_hz,
    high_pass_db,
    low_pass_db,
    microphone,
    noise_floor,
)
from model_tools.channel.rate import sampled_at
from model_tools.channel.room import reverberate
from model_tools.channel.suppression import suppress_noise

Samples = NDArray[np.float32]
Coder = Callable[[np.random.Generator, Samples, int], tuple[Samples, str]]

ACTIVE_RANGE_DB = 25.0
MOST_GAIN_DB = 40.0
"""Silence and a recorder's dither stay quiet."""

_FRAME_S = 0.01


def active_level_dbfs(samples: Samples, rate_hz: int) -> tuple[float, float]:
    """Return the level of the loudest 10 ms and the mean level of all within 25 dB of it, in dBFS.

    Both are RMS, and at least -120; frames lie side by side, the last is filled up with zeros.
    """
    size = round(_FRAME_S * rate_hz)
    padded = np.zeros(max(1, -(-len(samples) // size)) * size, np.float32)
    padded[: len(samples)] = samples
    power = np.mean(padded.reshape(-1, size) ** 2, axis=1, dtype=np.float64)
    loudest = float(power.max())
    active = power[power >= loudest * 10.0 ** (-ACTIVE_RANGE_DB / 10.0)]
    return 10.0 * np.log10(loudest + 1e-12), 10.0 * np.log10(float(active.mean()) + 1e-12)


def _pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[int(rng.integers(0, len(values)))]


def _opus(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    bit_rate = int(rng.integers(6, 25)) * 1_000
    application = _pick(rng, "voip", "voip", "audio")
    band_hz = _pick(rng, 8_000, 12_000, 16_000, 16_000) if bit_rate < 16_000 else 16_000
    out = codec.opus(
        samples,
        rate_hz,
        bit_rate=bit_rate,
        application=application,
        band_hz=band_hz,
        complexity=int(rng.integers(0, 7)),
    )
    return out, f"opus {bit_rate // 1000}k {application} {band_hz}"


def _amr(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    bit_rate = _pick(rng, *codec.AMR_NB_BIT_RATES)
    return codec.amr_nb(samples, rate_hz, bit_rate=bit_rate), f"amr {bit_rate}"


def _gsm(_rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    return codec.gsm(samples, rate_hz), "gsm"


def _mp3(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    at_hz, bit_rate = _pick(
        rng,
        (8_000, 8_000),
        (8_000, 16_000),
        (11_025, 16_000),
        (16_000, 16_000),
        (16_000, 24_000),
        (16_000, 32_000),
    )
    return codec.mp3(samples, rate_hz, bit_rate=bit_rate, at_hz=at_hz), f"mp3 {bit_rate // 1000}k {at_hz}"


def _aac(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    at_hz, bit_rate = _pick(rng, (8_000, 12_000), (11_025, 16_000), (16_000, 16_000), (16_000, 24_000))
    return codec.aac(samples, rate_hz, bit_rate=bit_rate, at_hz=at_hz), f"aac {bit_rate // 1000}k {at_hz}"


def _g711(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    law = _pick(rng, "mulaw", "alaw")
    return codec.g711(samples, rate_hz, law=law), law


def _g726(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    bits = int(rng.integers(2, 6))
    return codec.g726(samples, rate_hz, bits=bits), f"g726 {bits * 8}k"


def _g723_1(_rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    return codec.g723_1(samples, rate_hz), "g723.1"


def _adpcm(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    family, at_hz = _pick(rng, "IMA_ADPCM", "MS_ADPCM"), _pick(rng, 8_000, 11_025, 16_000)
    return codec.adpcm(samples, rate_hz, family=family, at_hz=at_hz), f"{family} {at_hz}"


def _headset(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    if rng.random() < 0.5:
        return codec.msbc(samples, rate_hz), "msbc"
    return codec.g722(samples, rate_hz), "g722"


def _rate(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    through_hz, kind = _pick(rng, 8_000, 8_000, 11_025), _pick(rng, "sharp", "sharp", "short", "linear")
    return sampled_at(samples, rate_hz, through_hz, kind), f"rate {through_hz} {kind}"


CODECS: dict[str, tuple[float, bool, Coder]] = {
    "rate": (0.22, False, _rate),
    "opus": (0.20, False, _opus),
    "amr": (0.12, True, _amr),
    "gsm": (0.10, True, _gsm),
    "mp3": (0.09, False, _mp3),
    "aac": (0.06, False, _aac),
    "g711": (0.06, True, _g711),
    "adpcm": (0.06, False, _adpcm),
    "g726": (0.04, True, _g726),
    "g723_1": (0.03, True, _g723_1),
    "headset": (0.02, False, _headset),
}
"""Name -> weight, whether it runs at 8 kHz as a telephone does, and the coder."""


def random_channel(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    """Send a sound through a random channel; the module's description has the distribution.

    Parameters
    ----------
    rng : Generator
        The same state gives the same channel.
    samples : ndarray, float32 (n,)
        The sound, full scale 1.0.
    rate_hz : int
        Its rate; effects are made for 16,000.

    Returns
    -------
    ndarray, float32 (n,)
        Aligned with the input to within 10 ms, inside full scale, finite.
    str
        What was done, in order: "room 0.43 s 2 dB | level -21 dBFS | opus 12k voip 16000".

    Raises
    ------
    AedError
        If the libraries that hold the codecs are missing: see `coding`.
    """
    out, said = np.asarray(samples, np.float32), []
    if rng.random() < 0.5:
        out, rt60_s, ratio_db = reverberate(rng, out, rate_hz)
        said.append(f"room {rt60_s:.2f} s {ratio_db:.0f} dB")
    loudest_dbfs, _ = active_level_dbfs(out, rate_hz)
    level_dbfs = rng.uniform(-12.0, -6.0) if rng.random() < 1.0 / 3.0 else rng.uniform(-45.0, -6.0)
    gain_db = min(level_dbfs - loudest_dbfs, MOST_GAIN_DB)
    out = out * np.float32(10.0 ** (gain_db / 20.0))
    said.append(f"level {loudest_dbfs + gain_db:.0f} dBFS")
    overdriven = 0.1 if loudest_dbfs > -60.0 else 0.0
    for share, stage in ((0.8, _microphone), (0.75, _noise), (overdriven, _overdrive)):
        if rng.random() < share:
            out, what = stage(rng, out, rate_hz)
            said.append(what)
    out = np.clip(out, np.float32(-1.0), np.float32(1.0))
    for share, stage in (
        (0.12, _converter),
        (0.15, _suppression),
        (0.35, _gain),
        (0.75, _code),
        (0.08, _link),
    ):
        if rng.random() < share:
            out, what = stage(rng, out, rate_hz)
            out = np.clip(out, np.float32(-1.0), np.float32(1.0))
            said.append(what)
    return out, " | ".join(said)


def _microphone(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    out, drawn = microphone(rng, samples, rate_hz)
    return out, "microphone " + " ".join(f"{name} {value:.0f}" for name, value in drawn.items())


def _noise(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    _, active_dbfs = active_level_dbfs(samples, rate_hz)
    level_dbfs = max(active_dbfs - rng.uniform(8.0, 45.0), -95.0)
    noise = noise_floor(rng, len(samples), rate_hz, level_dbfs, tilt=_pick(rng, 0.0, rng.uniform(0.0, 2.0)))
    return samples + noise, f"noise {level_dbfs:.0f} dBFS"


def _overdrive(rng: np.random.Generator, samples: Samples, _rate_hz: int) -> tuple[Samples, str]:
    over_db, soft = rng.uniform(3.0, 15.0), bool(rng.random() < 0.5)
    return dynamics.overdrive(samples, over_db, soft=soft), f"overdrive {over_db:.0f} dB"


def _converter(rng: np.random.Generator, samples: Samples, _rate_hz: int) -> tuple[Samples, str]:
    bits = int(rng.integers(8, 13))
    shift = rng.uniform(-0.05, 0.05) if rng.random() < 0.5 else 0.0
    return digital.quantise(digital.offset(samples, shift), bits), f"{bits} bit offset {shift:.3f}"


def _suppression(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    floor_db = rng.uniform(-18.0, -6.0)
    out = suppress_noise(samples, rate_hz, floor_db=floor_db, over=rng.uniform(1.0, 2.5))
    return out, f"suppression {floor_db:.0f} dB"


def _gain(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    if rng.random() < 0.5:
        loudest_dbfs, _ = active_level_dbfs(samples, rate_hz)
        depth_db, ratio = rng.uniform(6.0, 24.0), rng.uniform(2.0, 10.0)
        out = dynamics.compress(
            samples,
            rate_hz,
            threshold_dbfs=loudest_dbfs - depth_db,
            ratio=ratio,
            attack_s=rng.uniform(0.002, 0.03),
            release_s=rng.uniform(0.03, 0.4),
            makeup_db=rng.uniform(0.0, 1.0) * depth_db * (1.0 - 1.0 / ratio),
        )
        return out, f"compressor {depth_db:.0f} dB {ratio:.0f}:1"
    target_dbfs, highest_db = rng.uniform(-30.0, -14.0), rng.uniform(12.0, 36.0)
    out = dynamics.automatic_gain(
        samples,
        rate_hz,
        target_dbfs=target_dbfs,
        highest_db=highest_db,
        attack_s=rng.uniform(0.01, 0.15),
        release_s=rng.uniform(0.3, 4.0),
    )
    return out, f"agc {target_dbfs:.0f} dBFS {highest_db:.0f} dB"


def _code(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    names = list(CODECS)
    weights = np.array([CODECS[name][0] for name in names])
    said, out = [], samples
    for _ in range(2 if rng.random() < 1.0 / 12.0 else 1):
        _, telephone, coder = CODECS[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        if telephone and rng.random() < 0.5:
            hz = grid_hz(rate_hz)
            out = equalise(out, high_pass_db(hz, 300.0, 4) + low_pass_db(hz, 3_400.0, 8))
            said.append("telephone")
        out, what = coder(rng, out, rate_hz)
        said.append(what)
    return out, " ".join(said)


def _link(rng: np.random.Generator, samples: Samples, rate_hz: int) -> tuple[Samples, str]:
    share, conceal = rng.uniform(0.01, 0.08), _pick(rng, "zero", "repeat")
    frames = -(-len(samples) // round(digital.FRAME_S * rate_hz))
    lost = digital.lost_frames(rng, frames, share, rng.uniform(1.0, 3.0))
    return digital.drop_frames(samples, rate_hz, lost, conceal), f"loss {share:.2f} {conceal}"
