"""What a page is sent: server-sent events of compact JSON, spectrogram and scores as bytes in base64."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import numpy as np

from aed_daemon.observer import Observation
from aed_daemon.spec import FeatureSpec

LOG_MEL_RANGE = (-9.25, 3.5)
"""Log-mel that a byte of 0 and of 255 stands for: ln(1e-4), digital silence, to a loud tone."""


def server_sent(kind: str, data: Any) -> bytes:
    """Return a server-sent event with JSON data."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class HopMessages:
    """Makes a source's messages of its decisions: each sends the rows that the last has not.

    Parameters
    ----------
    spec : FeatureSpec
        Of the rows.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec = spec
        self._sent_to = -1
        low, high = LOG_MEL_RANGE
        self._steps = np.float32(255 / (high - low))

    def restart(self) -> None:
        """Send all rows of the next decision."""
        self._sent_to = -1

    def make(self, observation: Observation) -> bytes:
        """Return the message of a decision.

        Its `first` and `end` are the samples that its patch begins with and that it did not need,
        `rows` the newest of the patch's rows, a byte a band, `scores` int8, levels in 0.01 dBFS.
        """
        decision, hop_length = observation.decision, self._spec.hop_length
        origin = observation.end_sample - decision.end_sample
        first = origin + decision.patch.first_frame * hop_length
        rows_end = first + self._spec.patch_samples
        fresh = (rows_end - self._sent_to) // hop_length if self._sent_to >= 0 else self._spec.patch_frames
        if not 0 < fresh <= self._spec.patch_frames:
            fresh = self._spec.patch_frames
        self._sent_to = rows_end
        rows = (decision.patch.rows[-fresh:] - np.float32(LOG_MEL_RANGE[0])) * self._steps
        pixels = np.clip(rows + np.float32(0.5), 0, 255).astype(np.uint8)
        return server_sent(
            "hop",
            {
                "source": observation.source,
                "first": first,
                "end": observation.end_sample,
                "rows": b64encode(pixels.tobytes()).decode(),
                "scores": b64encode(decision.scores.tobytes()).decode(),
                "gated": decision.gated,
                "rms": decision.rms_cdb,
                "peak": decision.peak_cdb,
                "floor": decision.floor_cdb,
                "clipped": decision.clipped,
            },
        )
