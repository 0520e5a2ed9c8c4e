"""Any device rate to the model's rate: a polyphase FIR filter with its state between blocks.

Stream equals batch: any division of the input gives the same bits. SciPy designs the same filter
(`scipy.signal.firwin` with a Kaiser window, which the tests compare), but importing scipy.signal
costs a small board 50 MB and half a second, so the two lines of the design are done with NumPy.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd, pi

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AudioError

STOP_ATTENUATION_DB = 90.0
"""Design attenuation of what would alias or image: ten decibels better than what is promised."""

PASSBAND_HZ = 7_200.0
"""Upper edge of the flat band for input rates that reach so far."""

_BLOCK_OUTPUTS = 16_384
"""Output samples computed at a time, so that memory stays bounded for any input."""

_RUN_OUTPUTS = 1_024
"""At most so many are computed with one copy of their windows."""

_MOST_PHASES = 4_000
"""Rates that have less in common with the model's than this leaves would need huge filters."""

_DESIGN_TAPS = 1 << 18

_MANY_CYCLES = 32
"""From so many cycles of all phases on it pays to go phase by phase."""


def passband_edge_hz(rate_in_hz: int, rate_out_hz: int) -> float:
    """Return the frequency in Hz up to which the response is flat within 0.1 dB."""
    return min(PASSBAND_HZ / 16_000 * rate_out_hz, 0.45 * rate_in_hz)


@lru_cache(maxsize=8)
def design(rate_in_hz: int, rate_out_hz: int) -> NDArray[np.float64]:
    """Return the low-pass prototype at rate_in_hz * up, float64 (taps,), odd, symmetric, gain `up`.

    Source: Kaiser's formulas for length and beta, as in Oppenheim and Schafer, Discrete-Time Signal
    Processing, section 7.6.
    """
    up = rate_out_hz // gcd(rate_in_hz, rate_out_hz)
    rate_hz = float(rate_in_hz * up)
    edge_hz = passband_edge_hz(rate_in_hz, rate_out_hz)
    stop_hz = min(rate_in_hz, rate_out_hz) / 2.0
    width = 2.0 * pi * (stop_hz - edge_hz) / rate_hz
    half = ceil((STOP_ATTENUATION_DB - 7.95) / (2.285 * width) / 2.0)
    beta = 0.1102 * (STOP_ATTENUATION_DB - 8.7)
    cutoff = (stop_hz + edge_hz) / rate_hz
    taps = np.empty(2 * half + 1)
    for start in range(-half, half + 1, _DESIGN_TAPS):
        # In pieces, since each function on the way takes several arrays of its argument's length.
        n = np.arange(start, min(start + _DESIGN_TAPS, half + 1))
        window = np.i0(beta * np.sqrt(1.0 - (n / half) ** 2)) / np.i0(beta)
        taps[start + half : start + half + len(n)] = cutoff * np.sinc(cutoff * n) * window
    taps *= up / taps.sum()
    return taps


class Resampler:
    """Convert mono float32 from one rate to another, block by block.

    The filter's delay is taken out: output sample m is the signal at time m / rate_out_hz after the
    first input sample. What that costs is waiting, `delay_samples`.

    Attributes
    ----------
    delay_samples : int
        Output samples by which the output lags behind the input that has been pushed.

    Raises
    ------
    AudioError
        For a pair of rates that only a huge filter would convert.
    """

    def __init__(self, rate_in_hz: int, rate_out_hz: int) -> None:
        self.rate_in_hz, self.rate_out_hz = rate_in_hz, rate_out_hz
        divisor = gcd(rate_in_hz, rate_out_hz)
        self._up, self._down = rate_out_hz // divisor, rate_in_hz // divisor
        self.identity = self._up == self._down
        if self.identity:
            self.delay_samples = 0
            return
        if self._up > _MOST_PHASES:
            raise AudioError(
                f"cannot convert {rate_in_hz} Hz to {rate_out_hz} Hz",
                expected=f"a multiple of {ceil(rate_out_hz / _MOST_PHASES)} Hz",
                hint="Convert it first, for example with ffmpeg -ar 48000.",
            )
        taps = design(rate_in_hz, rate_out_hz)
        self._half = len(taps) // 2
        width = ceil(len(taps) / self._up)
        # Output m sits at m * down on the grid of rate_in * up; its phase there picks the taps
        # that fall on input samples. Rows are in the order in which the outputs need them.
        position = np.arange(self._up, dtype=np.int64) * self._down + self._half
        self._last_input = position // self._up
        padded = np.zeros(width * self._up)
        padded[: len(taps)] = taps
        phases = padded.reshape(width, self._up).T[:, ::-1]
        self._bank = np.ascontiguousarray(phases[position % self._up], np.float32)
        self._width = width
        self.delay_samples = ceil(self._half / self._down)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next input sample is the first, after silence."""
        if self.identity:
            return
        self._held = np.zeros(self._width - 1, np.float32)
        self._held_from = -(self._width - 1)
        self._next_output = 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take input, float32 (n,), and return the output that it determines, float32 (m,)."""
        if self.identity:
            return samples
        self._held = np.concatenate([self._held, samples])
        end = self._held_from + len(self._held)
        blocks = []
        while (count := self._ready(end)) > 0:
            blocks.append(self._compute(count))
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    def flush(self) -> NDArray[np.float32]:
        """Return the output that is still in the filter, as if silence followed; then `reset`."""
        if self.identity:
            return np.empty(0, np.float32)
        inputs = self._held_from + len(self._held)
        wanted = -(-inputs * self._up // self._down) - self._next_output
        tail = self.push(np.zeros(self._width + self._down // self._up + 1, np.float32))[: max(0, wanted)]
        self.reset()
        return tail

    def _ready(self, end: int) -> int:
        """Return how many outputs need no input sample from `end` on, at most one block's worth."""
        last = ((end * self._up - 1) - self._half) // self._down
        return min(last + 1 - self._next_output, _BLOCK_OUTPUTS)

    def _compute(self, count: int) -> NDArray[np.float32]:
        # What sliding_window_view gives, which takes longer to make than a short block to compute.
        shape = (len(self._held) - self._width + 1, self._width)
        windows: NDArray[np.float32] = np.ndarray(
            shape, np.float32, self._held, strides=2 * self._held.strides
        )
        out = np.empty(count, np.float32)
        if count >= _MANY_CYCLES * self._up:
            self._by_phase(windows, out)
        else:
            self._by_run(windows, out)
        self._next_output += count
        drop = min(self._window_of(self._next_output), len(self._held))
        self._held = self._held[drop:]
        self._held_from += drop
        return out

    def _window_of(self, output: int) -> int:
        """Return where in `_held` the window of an output begins."""
        turn, phase = divmod(output, self._up)
        last = turn * self._down + int(self._last_input[phase])
        return last - (self._width - 1) - self._held_from

    def _by_phase(self, windows: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Compute all outputs of one phase together: same taps, windows `down` samples apart."""
        for offset in range(min(self._up, len(out))):
            first = self._window_of(self._next_output + offset)
            part = out[offset :: self._up]
            taps = self._bank[(self._next_output + offset) % self._up]
            np.einsum("ij,j->i", windows[first :: self._down][: len(part)], taps, out=part)

    def _by_run(self, windows: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Compute outputs of rising phase together: their taps are consecutive rows of the bank."""
        done = 0
        while done < len(out):
            turn, phase = divmod(self._next_output + done, self._up)
            run = min(self._up - phase, len(out) - done, _RUN_OUTPUTS)
            first = self._last_input[phase : phase + run] + (
                turn * self._down - (self._width - 1) - self._held_from
            )
            taps = self._bank[phase : phase + run]
            np.einsum("ij,ij->i", windows[first], taps, out=out[done : done + run])
            done += run
