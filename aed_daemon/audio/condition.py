"""What a device delivers -> one channel of float32, with gain, without a DC offset."""

from __future__ import annotations

from math import exp, pi
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SampleFormat = Literal["s16", "s32", "f32"]
"""Little-endian interleaved PCM: signed 16 or 32 bits, or 32-bit float."""

SAMPLE_DTYPE: dict[SampleFormat, np.dtype[Any]] = {
    "s16": np.dtype("<i2"),
    "s32": np.dtype("<i4"),
    "f32": np.dtype("<f4"),
}
DC_BLOCK_HZ = 10.0
"""Default cutoff of the DC blocker in Hz: far below the lowest mel band, settled within 0.1 s."""

_ABSURD = np.float32(1e6)
"""From this magnitude on, a sample (full scale 1.0) is damage, as NaN and infinity are."""

_FULL_SCALE = {"s16": 2.0**15, "s32": 2.0**31, "f32": 1.0}


def decode_pcm(
    data: bytes | bytearray | memoryview, sample_format: SampleFormat, channels: int
) -> NDArray[np.float32]:
    """Return interleaved PCM as float32 (n, channels), full scale 1.0."""
    samples = np.frombuffer(data, SAMPLE_DTYPE[sample_format]).reshape(-1, channels)
    return np.asarray(samples * np.float32(1.0 / _FULL_SCALE[sample_format]), np.float32)


class DcBlocker:
    """Subtract a slow mean: a first-order high-pass, y = x - m, m the exponential mean of x.

    Stream equals batch: sums run strictly from left to right over stretches that begin at fixed
    sample numbers, so where a block ends makes no difference.
    """

    _STRETCH = 1_024

    def __init__(self, rate_hz: int, cutoff_hz: float) -> None:
        keep = exp(-2.0 * pi * cutoff_hz / rate_hz)
        if keep**self._STRETCH < 1e-200:
            raise ValueError(f"a DC blocker at {cutoff_hz} Hz is too high for {rate_hz} Hz")
        steps = np.arange(1, self._STRETCH + 1)
        self._decay = keep**steps
        self._growth = (1.0 - keep) / self._decay
        self.reset()

    def reset(self) -> None:
        """Forget the mean; the first sample to come becomes its start."""
        self._mean_before: float | None = None
        self._sum = 0.0
        self._at = 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, float32 (n,), and return them without their slow mean, float32 (n,)."""
        out = np.empty_like(samples)
        if self._mean_before is None and len(samples):
            self._mean_before = float(samples[0])
        done = 0
        while done < len(samples):
            part = samples[done : done + self._STRETCH - self._at]
            here = slice(self._at, self._at + len(part))
            terms = np.concatenate([[self._sum], part * self._growth[here]])
            sums = np.cumsum(terms)[1:]
            mean = self._decay[here] * (self._mean_before + sums)
            out[done : done + len(part)] = part - mean
            done += len(part)
            self._at += len(part)
            self._sum = float(sums[-1])
            if self._at == self._STRETCH:
                self._mean_before, self._sum, self._at = float(mean[-1]), 0.0, 0
        return out


class Conditioner:
    """Pick or mix a channel, apply gain, take out the DC offset; damaged samples become 0.

    Parameters
    ----------
    rate_hz : int
        Rate of the device.
    channel : int or "mix"
        The channel to listen to, counted from 0, or the mean of all.
    gain_db : float
        Gain in dB; every level reported is after it.
    dc_block_hz : float
        Cutoff of the DC blocker in Hz; 0 turns it off.
    """

    def __init__(
        self,
        rate_hz: int,
        channel: int | Literal["mix"] = "mix",
        gain_db: float = 0.0,
        dc_block_hz: float = DC_BLOCK_HZ,
    ) -> None:
        self._channel = channel
        self._gain = np.float32(10.0 ** (gain_db / 20.0))
        self._blocker = DcBlocker(rate_hz, dc_block_hz) if dc_block_hz > 0 else None

    def reset(self) -> None:
        """Forget the past, as after a gap."""
        if self._blocker:
            self._blocker.reset()

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, float32 (n, channels), and return one channel, float32 (n,)."""
        sound = np.abs(samples) < _ABSURD
        if not sound.all():
            # Only float PCM can hold them; one would stay in the filters for ever.
            samples = np.where(sound, samples, np.float32(0.0))
        if self._channel == "mix":
            # Added channel by channel: NumPy's own mean would round otherwise for other shapes.
            mono = samples[:, 0].copy()
            for other in range(1, samples.shape[1]):
                mono += samples[:, other]
            mono *= np.float32(1.0 / samples.shape[1])
        else:
            mono = samples[:, self._channel]
        mono = mono * self._gain
        return self._blocker.push(mono) if self._blocker else mono
