"""Log-mel features, streaming and whole: the same bits whatever the size of the pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from aed_daemon.spec import FeatureSpec

_BLOCK_FRAMES = 32
"""Frames per FFT call: enough to hide the cost of the call, few enough to stay in the cache."""


@dataclass(frozen=True)
class MelTable:
    """The mel filter bank as one run of non-zero weights per band.

    Attributes
    ----------
    start, length : ndarray, int32 (n_mels,)
        First FFT bin of each band, and how many follow on from it.
    weights : ndarray, float64 (sum(length),)
        The runs, one after the other.
    """

    start: NDArray[np.int32]
    length: NDArray[np.int32]
    weights: NDArray[np.float64]


def hz_to_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the HTK mel of a frequency in Hz.

    Source: S. Young et al., The HTK Book, equation 5.13.
    """
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequency in Hz of an HTK mel; the inverse of `hz_to_mel`."""
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


@lru_cache(maxsize=8)
def mel_table(spec: FeatureSpec) -> MelTable:
    """Return the filter bank of `spec`: triangles linear in Hz, peak 1.

    A band too narrow for the FFT's resolution keeps one weight of 0, so that every band has a run.
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(spec.fmin_hz), hz_to_mel(spec.fmax_hz), spec.n_mels + 2))
    bins = np.arange(spec.n_fft // 2 + 1) * (spec.sample_rate_hz / spec.n_fft)
    starts, lengths, runs = [], [], []
    for low, peak, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        rising, falling = (bins - low) / (peak - low), (high - bins) / (high - peak)
        triangle = np.maximum(0.0, np.minimum(rising, falling))
        inside = np.flatnonzero(triangle)
        first, last = (inside[0], inside[-1]) if inside.size else (int(np.argmin(abs(bins - peak))),) * 2
        starts.append(first)
        lengths.append(last - first + 1)
        runs.append(triangle[first : last + 1])
    return MelTable(np.array(starts, np.int32), np.array(lengths, np.int32), np.concatenate(runs))


class _Transform:
    """Windowed frames -> log-mel rows; the one place where a feature is computed.

    Everything is float64 until the last step, so that the rounding to float32 hides what FFT and
    logarithm libraries of different machines disagree on. The sparse sum adds each band's run in a
    fixed order for each row by itself: a matrix product would give other last bits for one frame
    than for many.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        table = mel_table(spec)
        phase = np.arange(spec.win_length) * (2.0 * np.pi / spec.win_length)
        self._window = (0.5 - 0.5 * np.cos(phase)) / spec.pcm_full_scale
        self._bins = np.concatenate(
            [s + np.arange(n) for s, n in zip(table.start, table.length, strict=True)]
        )
        self._runs = np.concatenate([[0], np.cumsum(table.length)[:-1]])
        self._weights = table.weights
        self._spec = spec

    def __call__(self, frames: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the log-mel rows of `frames` (t, win_length) to `out` (t, n_mels)."""
        for at in range(0, len(frames), _BLOCK_FRAMES):
            # The window's place among the n_fft samples turns the phase only, so the magnitude can
            # be had from the windowed samples followed by zeros.
            spectrum = np.fft.rfft(frames[at : at + _BLOCK_FRAMES] * self._window, self._spec.n_fft)
            energy = spectrum.real**2 + spectrum.imag**2
            if self._spec.power == 1.0:
                np.sqrt(energy, out=energy)
            mel = np.add.reduceat(energy[:, self._bins] * self._weights, self._runs, axis=1)
            out[at : at + _BLOCK_FRAMES] = np.log(mel + self._spec.log_offset)


def log_mel(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    """Return the log-mel spectrogram of a whole recording.

    Parameters
    ----------
    samples : ndarray, float32 (n,)
        Samples at `spec.sample_rate_hz`.

    Returns
    -------
    ndarray, float32 (t, n_mels)
        Natural logarithm of the mel magnitudes; t counts the frames whose window lies inside.
    """
    stream = MelStream(spec)
    return stream.push(np.asarray(samples, np.float32))


class MelStream:
    """Samples in, log-mel rows out, frame by frame as soon as the samples of each are there.

    Stream equals batch: any division of the samples into pieces gives the same bits.

    Attributes
    ----------
    delay_samples : int
        From the middle of a frame's window to the sample that completes it.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.delay_samples = spec.win_length // 2
        self._transform = _Transform(spec)
        self.reset()

    def reset(self) -> None:
        """Forget all samples: what comes next is the start of a recording, frame 0."""
        self._pending = np.empty(0, np.float32)
        self._skip = self.spec.window_offset

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, float32 (n,), and return the rows that they complete, float32 (t, n_mels)."""
        spec = self.spec
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        fresh = samples[skipped:]
        joined = np.concatenate([self._pending, fresh]) if self._pending.size else fresh
        count = max(0, (len(joined) - spec.win_length) // spec.hop_length + 1)
        rows = np.empty((count, spec.n_mels), np.float32)
        if count:
            self._transform(sliding_window_view(joined, spec.win_length)[:: spec.hop_length], rows)
        used = count * spec.hop_length
        if used > len(joined):
            self._skip += used - len(joined)
        self._pending = np.array(joined[used:], np.float32)
        return rows


class Patch(NamedTuple):
    """A window of the spectrogram.

    Attributes
    ----------
    first_frame : int
        Its first frame, counted from the last reset.
    rows : ndarray, float32 (patch_frames, n_mels)
        Its own copy of the log-mel rows.
    """

    first_frame: int
    rows: NDArray[np.float32]


class PatchStream:
    """Log-mel rows in, overlapping patches out, one every `hop_frames`.

    Attributes
    ----------
    delay_samples : int
        From the middle of a patch to the last sample of its last hop.
    """

    def __init__(self, spec: FeatureSpec, hop_frames: int) -> None:
        self.spec = spec
        self.rehop(hop_frames)
        self.delay_samples = spec.patch_samples // 2
        self.reset()

    def rehop(self, hop_frames: int) -> None:
        """Leave another interval between patches, from the next one on."""
        if not 1 <= hop_frames <= self.spec.patch_frames:
            raise ValueError(f"hop_frames must be 1 to {self.spec.patch_frames}, got {hop_frames}")
        self.hop_frames = hop_frames

    def reset(self) -> None:
        """Forget all rows: the next is frame 0."""
        self._rows = np.full((self.spec.patch_frames, self.spec.n_mels), np.nan, np.float32)
        self._held = 0
        self._first_frame = 0

    def push(self, rows: NDArray[np.float32]) -> list[Patch]:
        """Take rows, float32 (t, n_mels), and return the patches that they complete, oldest first."""
        patches: list[Patch] = []
        size, keep = self.spec.patch_frames, self.spec.patch_frames - self.hop_frames
        while len(rows):
            part = rows[: size - self._held]
            rows = rows[len(part) :]
            self._rows[self._held : self._held + len(part)] = part
            self._held += len(part)
            if self._held == size:
                patches.append(Patch(self._first_frame, self._rows.copy()))
                self._rows[:keep] = patches[-1].rows[self.hop_frames :]
                self._held = keep
                self._first_frame += self.hop_frames
        return patches
