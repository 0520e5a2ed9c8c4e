"""One source between its opening and its loss."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.clipping import FULL_SCALE, Span, spans_of
from aed_daemon.audio.condition import DC_BLOCK_HZ, Conditioner
from aed_daemon.audio.resample import Resampler
from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.errors import AudioError


class Conditioning(NamedTuple):
    """How a source becomes one channel; see `Conditioner`."""

    channel: int | Literal["mix"] = "mix"
    gain_db: float = 0.0
    dc_block_hz: float = DC_BLOCK_HZ


class Session:
    """Native blocks in, samples at the model's rate out.

    Parameters
    ----------
    form : PcmFormat
        What the source delivers.
    rate_hz : int
        The model's rate.
    how : Conditioning
        Channel, gain and DC blocker.
    where : str
        The source, for errors.

    Attributes
    ----------
    next_native : int
        Index of the first native sample to come.
    same_samples : int
        How many native samples up to now have had one and the same value, in each channel that is
        listened to: a microphone hears its own noise, if nothing else.
    """

    def __init__(self, form: PcmFormat, rate_hz: int, how: Conditioning, where: str) -> None:
        if how.channel != "mix" and how.channel >= form.channels:
            raise AudioError(
                "no such channel",
                where=where,
                expected=f"0 to {form.channels - 1}",
                got=str(how.channel),
                hint='Set `channel` to one of them or to "mix".',
                code="misconfigured",
            )
        self.rate_hz, self._model_rate_hz = form.rate_hz, rate_hz
        self._heard = slice(None) if how.channel == "mix" else slice(how.channel, how.channel + 1)
        self._conditioner = Conditioner(form.rate_hz, how.channel, how.gain_db, how.dc_block_hz)
        self._resampler = Resampler(form.rate_hz, rate_hz)
        self._first_native = self.next_native = 0
        self._value: NDArray[np.float32] | None = None
        self.same_samples = 0

    def examine(self, block: Block) -> None:
        """Count how long the signal has been the same, `block` included."""
        heard = block.samples[:, self._heard]
        if len(heard) == 0:
            return
        if self._value is None:
            self._value = heard[0]
        if (heard == self._value).all():
            self.same_samples += len(heard)
        else:
            self._value = heard[-1]
            self.same_samples = 0

    def clipped(self, block: Block) -> list[Span]:
        """Return which samples at the model's rate a block has clipped ones for, as spans."""
        over = (np.abs(block.samples[:, self._heard]) >= FULL_SCALE).any(axis=1)
        if not over.any():
            return []
        native = np.flatnonzero(over) + (block.first_sample - self._first_native)
        return spans_of(native * self._model_rate_hz // self.rate_hz)

    def begin(self, block: Block) -> None:
        """Let `block` be the first."""
        self._first_native = self.next_native = block.first_sample

    def push(self, block: Block) -> NDArray[np.float32]:
        """Take a block and return the samples that it completes, float32 (n,)."""
        self.next_native = block.first_sample + len(block.samples)
        return self._resampler.push(self._conditioner.push(block.samples))

    def break_off(self) -> NDArray[np.float32]:
        """Return what the filters still hold, and forget the past."""
        self._conditioner.reset()
        return self._resampler.flush()

    def at_model_rate(self, native: int) -> int:
        """Return how many samples at the model's rate lie between the first and a native index."""
        return -(-(native - self._first_native) * self._model_rate_hz // self.rate_hz)
