"""A file of any length, heard block by block as the daemon hears it, with what can be told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 0.9995
"""From this magnitude on, two samples in a row count as clipped."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Facts:
    """What is told of a sound once it has been heard.

    Attributes
    ----------
    duration_s : float
        Its length in seconds.
    peak_dbfs : float
        Of the decoded sound, -200 for digital silence.
    clipped_share : float
        Samples of the file, 0 to 1, that stay at full scale.
    sound : str
        Hash of the decoded samples: the same for the same sound under two names.
    """

    duration_s: float
    peak_dbfs: float
    clipped_share: float
    sound: str


class Hearing:
    """The blocks of a file, and, after the last one, its facts.

    The blocks end to end are what `aed_daemon.audio.file.decode` returns, bit for bit; only one of
    them is in memory.

    Parameters
    ----------
    path : Path
        What the daemon can decode.
    rate_hz : int
        Rate of the blocks.

    Attributes
    ----------
    facts : Facts
        Once the iteration has ended.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path, self.rate_hz = path, rate_hz

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield float32 (n,) at `rate_hz`; AudioError as `decode` raises it."""
        from aed_daemon.audio.condition import Conditioner
        from aed_daemon.audio.file import AudioFile
        from aed_daemon.audio.resample import Resampler

        digest, peak, clipped, raw, heard = hashlib.sha256(), 0.0, 0, 0, 0
        with AudioFile(self.path) as file:
            conditioner = Conditioner(file.format.rate_hz)
            resampler = Resampler(file.format.rate_hz, self.rate_hz)
            while len(samples := file.read(_BLOCK)):
                high = np.abs(samples) >= FULL_SCALE
                clipped += int(np.count_nonzero(high[1:] & high[:-1]))
                raw += samples.size
                block = resampler.push(conditioner.push(samples))
                digest.update(block.tobytes())
                peak, heard = max(peak, float(np.max(np.abs(block), initial=0.0))), heard + len(block)
                yield block
            block = resampler.flush()
            digest.update(block.tobytes())
            peak, heard = max(peak, float(np.max(np.abs(block), initial=0.0))), heard + len(block)
            yield block
        self.facts = Facts(
            duration_s=round(heard / self.rate_hz, 4),
            peak_dbfs=round(20.0 * float(np.log10(peak + 1e-10)), 1),
            clipped_share=round(clipped / max(1, raw), 6),
            sound=digest.hexdigest()[:32],
        )
