"""Cost of a log-mel frame: streaming, against librosa that computes each window anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import MelStream
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.spec import FeatureSpec
from benchmarks.measure import alternate
from benchmarks.outcome import Outcome, Row

HOP_FRAMES = 24
_HOPS = 10
_TOLERANCE = 1e-4

Mel = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def window_samples(spec: FeatureSpec) -> int:
    """Return the samples that librosa needs for the frames of one patch."""
    return (spec.patch_frames - 1) * spec.hop_length + spec.n_fft


def librosa_mel(spec: FeatureSpec, *, keep_filters: bool) -> Mel:
    """Return what computes a whole window with librosa, float32 (n,) -> (t, n_mels).

    Parameters
    ----------
    spec : FeatureSpec
        What to compute.
    keep_filters : bool
        Make the filter bank once; librosa's one-call function makes it for each window.
    """
    import librosa

    shape: dict[str, Any] = {
        "n_fft": spec.n_fft,
        "hop_length": spec.hop_length,
        "win_length": spec.win_length,
    }
    bank: dict[str, Any] = {
        "n_mels": spec.n_mels,
        "fmin": spec.fmin_hz,
        "fmax": spec.fmax_hz,
        "htk": True,
        "norm": None,
    }
    filters = librosa.filters.mel(sr=spec.sample_rate_hz, n_fft=spec.n_fft, **bank)

    def one_call(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        mel = librosa.feature.melspectrogram(
            y=samples, sr=spec.sample_rate_hz, center=False, power=spec.power, **shape, **bank
        )
        return np.asarray(np.log(mel + spec.log_offset).T, np.float32)

    def kept(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        spectrum = np.abs(librosa.stft(samples, center=False, **shape))
        return np.asarray(np.log(filters @ spectrum**spec.power + spec.log_offset).T, np.float32)

    return kept if keep_filters else one_call


def run(*, quick: bool) -> Outcome:
    """Measure it."""
    spec = load_manifest(DEFAULT_MODEL).spec
    window, hop = window_samples(spec), HOP_FRAMES * spec.hop_length
    noise = np.random.default_rng(1).standard_normal(window + _HOPS * hop) * 0.1
    samples = np.asarray(noise, np.float32)
    stream = MelStream(spec)

    def ours(step: int) -> Callable[[], None]:
        def push() -> None:
            for at in range(0, _HOPS * hop, step):
                stream.push(samples[at : at + step])

        return push

    def recompute(mel: Mel) -> Callable[[], None]:
        def windows() -> None:
            for at in range(0, _HOPS * hop, hop):
                mel(samples[at : at + window])

        return windows

    one_call, kept = librosa_mel(spec, keep_filters=False), librosa_mel(spec, keep_filters=True)
    for mel in (one_call, kept):
        _same(mel(samples[:window]), MelStream(spec).push(samples[:window]))
    work = {
        "ours": ours(hop),
        "ours_single": ours(spec.hop_length),
        "librosa": recompute(one_call),
        "librosa_filters_kept": recompute(kept),
    }
    per_frame_us = 1e6 / (_HOPS * HOP_FRAMES)
    taken = {
        name: times.scaled(per_frame_us) for name, times in alternate(work, 15 if quick else 150).items()
    }
    medians = {name: times.spread()["median"] for name, times in taken.items()}
    return Outcome(
        figures={"log_mel_us_per_frame": medians},
        details={
            "unit": "us per new 10 ms frame",
            "hop_frames": HOP_FRAMES,
            "ratio_librosa": round(taken["librosa"].median / taken["ours"].median, 1),
            "ratio_librosa_filters_kept": round(
                taken["librosa_filters_kept"].median / taken["ours"].median, 1
            ),
            "spread": {name: times.spread() for name, times in taken.items()},
        },
        rows=[
            Row(
                f"log-mel, {HOP_FRAMES} frames at a time",
                medians["ours"],
                "us/frame",
                f"librosa on each window {medians['librosa']:g}, filters kept "
                f"{medians['librosa_filters_kept']:g}",
            ),
            Row("log-mel, one frame at a time", medians["ours_single"], "us/frame"),
        ],
    )


def _same(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> None:
    """Refuse to compare what does not compute the same; librosa's window sits in the FFT's middle."""
    difference = float(np.abs(theirs - ours[: len(theirs)]).max())
    if len(theirs) != len(ours) or difference > _TOLERANCE:
        raise ValueError(f"librosa computes something else: {len(theirs)} rows, off by {difference:g}")
