"""Channels that a network is tested through: fixed, seeded, and never part of training.

Codecs and rates are those that exist, so training knows them too, at other settings; the rooms are
of another family than training's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from model_tools.channel import codec
from model_tools.channel.chain import active_level_dbfs
from model_tools.channel.digital import quantise
from model_tools.channel.microphone import noise_floor
from model_tools.channel.rate import sampled_at
from model_tools.channel.room import convolve
from model_tools.evaluation.rooms import LEAD_S, numbered_room

Samples = NDArray[np.float32]
Channel = Callable[[Samples, int, np.random.Generator, Sequence[Samples]], Samples]
"""Samples, rate in Hz, generator and backgrounds -> samples."""

ROOMS = 40
"""Rooms that clips are spread over."""

RT60_S = 0.6
QUIETER_DB = 30.0
SELF_NOISE_DBFS = -95.0
SNR_DB = 10.0


def phone_8k(samples: Samples, rate_hz: int, _rng: np.random.Generator, _: Sequence[Samples]) -> Samples:
    """Sample at 8 kHz and go back: flat to 3.6 kHz, 90 dB down from 4 kHz on."""
    return sampled_at(samples, rate_hz, 8_000, "sharp")


def opus_12k(samples: Samples, rate_hz: int, _rng: np.random.Generator, _: Sequence[Samples]) -> Samples:
    """Opus at 12 kbit/s as for calls: voip, wide band, complexity 10, variable rate, no DTX."""
    return codec.opus(samples, rate_hz, bit_rate=12_000, application="voip", band_hz=16_000, complexity=10)


def gsm(samples: Samples, rate_hz: int, _rng: np.random.Generator, _: Sequence[Samples]) -> Samples:
    """GSM full rate, 13 kbit/s at 8 kHz."""
    return codec.gsm(samples, rate_hz)


def reverb(samples: Samples, rate_hz: int, rng: np.random.Generator, _: Sequence[Samples]) -> Samples:
    """One of `ROOMS` boxes with a reverberation time of 0.6 s, source and microphone 0.8 to 3.5 m apart.

    The response has unit energy: steady noise keeps its level. What sounds on after the end is cut off.
    """
    lead = round(LEAD_S * rate_hz)
    padded = np.concatenate([samples, np.zeros(lead, np.float32)])
    room = numbered_room(int(rng.integers(0, ROOMS)), RT60_S, rate_hz)
    return convolve(padded, room)[lead:]


def quiet_30db(samples: Samples, rate_hz: int, rng: np.random.Generator, _: Sequence[Samples]) -> Samples:
    """30 dB quieter, in a microphone's own noise, as 16-bit samples.

    In this order: gain of -30 dB; white Gaussian noise of -95 dBFS RMS from 0 to half the rate added;
    triangular dither of +-1 step and rounding to 16 bits (together another -96.3 dBFS).
    """
    quiet = samples * np.float32(10.0 ** (-QUIETER_DB / 20.0))
    return quantise(quiet + noise_floor(rng, len(samples), rate_hz, SELF_NOISE_DBFS), 16, rng)


def snr_10db(
    samples: Samples, rate_hz: int, rng: np.random.Generator, backgrounds: Sequence[Samples]
) -> Samples:
    """One of the backgrounds, from a random place in it, 10 dB below the sound.

    The ratio is the mean power of the clip's active frames (10 ms, RMS within 25 dB of the loudest)
    over the mean power of the background as it is mixed in, over the whole length of the clip. A
    background that is shorter goes round; a place where it is silent is passed over. If the sum
    exceeds full scale, all of it is turned down. To a silent clip nothing is added.

    Raises
    ------
    AedError
        If there is no background, or none but silent ones.
    """
    loudest_dbfs, active_dbfs = active_level_dbfs(samples, rate_hz)
    if loudest_dbfs <= -100.0:
        return samples.copy()
    usable = [sound for sound in backgrounds if np.any(sound)]
    if not usable:
        raise AedError(
            "the channel snr_10db needs sounds to mix in",
            expected="one background that is not silent",
            got=f"{len(backgrounds)} of which none sounds" if len(backgrounds) else "none",
        )
    for _ in range(50):
        sound = usable[int(rng.integers(0, len(usable)))]
        start = int(rng.integers(0, len(sound)))
        piece = np.take(sound, np.arange(start, start + len(samples)), mode="wrap")
        if float(np.mean(np.square(piece, dtype=np.float64))) > 1e-10:
            break
    else:
        raise AedError("the backgrounds are silent nearly everywhere", got="50 places below -100 dBFS")
    power = float(np.mean(np.square(piece, dtype=np.float64)))
    gain = 10.0 ** ((active_dbfs - SNR_DB) / 20.0) / np.sqrt(power)
    mixed = samples + piece * np.float32(gain)
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)


CHANNELS: dict[str, Channel] = {
    "phone_8k": phone_8k,
    "opus_12k": opus_12k,
    "gsm": gsm,
    "reverb": reverb,
    "quiet_30db": quiet_30db,
    "snr_10db": snr_10db,
}


def apply(
    name: str, samples: Samples, rate_hz: int, seed: int, backgrounds: Sequence[Samples] = ()
) -> Samples:
    """Send a clip through a test channel.

    Parameters
    ----------
    name : str
        A key of `CHANNELS`.
    samples : ndarray, float32 (n,)
        The clip, full scale 1.0.
    rate_hz : int
        Its rate, and that of the backgrounds.
    seed : int
        At least 0, another one for each clip: it decides the room, the noise, the background and the
        place in it.
    backgrounds : sequence of ndarray, float32
        Sounds for snr_10db; the other channels use none.

    Returns
    -------
    ndarray, float32 (n,)
        Aligned with the input to within 10 ms. The same arguments give the same samples.

    Raises
    ------
    AedError
        If there is no such channel, or something that it needs is missing.
    """
    if name not in CHANNELS:
        raise AedError("no such channel", expected=" or ".join(CHANNELS), got=name)
    samples = np.asarray(samples, np.float32)
    if not len(samples):
        return samples.copy()
    rng = np.random.default_rng([seed, list(CHANNELS).index(name)])
    return CHANNELS[name](samples, rate_hz, rng, backgrounds)
