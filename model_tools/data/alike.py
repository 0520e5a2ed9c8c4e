"""Whether two files were cut from one recording, though trimmed, filtered, resampled or made louder.

A stretch of 0.4 s of one log-mel spectrogram, without the mean of each band and of each frame, is
compared with every stretch of the other: the same recording correlates with itself through codecs and
equalisers, and two sounds that merely begin alike do not. Of 59 examples from Debian packages the one
that is a recording of ESC-10 reached 0.87 with it, most others under 0.6. Another speed of playing is not
found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.features import log_mel
from aed_daemon.spec import YAMNET_256 as SPEC

RATE_HZ = SPEC.sample_rate_hz

SAME = 0.65
"""From this correlation on, files count as one recording: some that are not are lost, and that is cheap."""

_FRAMES = 40
_STRETCHES = 6
"""Of each file that is looked for, evenly over its length."""


def likeness(looked_for: Sequence[Path], among: Sequence[Path]) -> list[float]:
    """Return for each file the largest correlation of a stretch of it with one of the others, -1 to 1.

    A file under 0.4 s is padded with silence, and then any two clicks are alike; one of silence is like
    nothing.
    """
    stretches, owner = [], []
    for number, path in enumerate(looked_for):
        frames = _log_mel(path)
        starts = np.linspace(0, len(frames) - _FRAMES, min(_STRETCHES, 1 + len(frames) // _FRAMES))
        for start in starts.astype(int):
            stretches.append(_normalised(frames[None, start : start + _FRAMES])[0])
            owner.append(number)
    if not stretches:
        return []
    wanted, best = np.stack(stretches), np.full(len(stretches), -1.0)
    for path in among:
        windows = sliding_window_view(_log_mel(path), _FRAMES, axis=0).transpose(0, 2, 1)
        best = np.maximum(best, (wanted @ _normalised(windows).T).max(axis=1))
    return [float(best[np.array(owner) == number].max()) for number in range(len(looked_for))]


def _log_mel(path: Path) -> NDArray[np.float32]:
    samples = decode(path, RATE_HZ)
    least = SPEC.n_fft + (_FRAMES - 1) * SPEC.hop_length
    return np.asarray(log_mel(np.pad(samples, (0, max(0, least - len(samples)))), SPEC), np.float32)


def _normalised(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windows, (n, frames, n_mels), as vectors of length 1, without the means of bands and frames."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    centred -= centred.mean(axis=2, keepdims=True)
    vectors = centred.reshape(len(centred), -1)
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-3), np.float32)
