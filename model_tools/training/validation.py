"""How a network in training does on the validation fold: as recorded, and through channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.spec import FeatureSpec
from model_tools.training import augment
from model_tools.training.bank import CHANNELLED, FLOOR, Segments, load
from model_tools.training.cut import Window, gather, levels
from model_tools.training.material import Material

_HOP_FRAMES = 72
_GATE_DBFS = -65.0
_CHANNELS = 4

Probabilities = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Patches, float32 (n, patch_frames, n_mels), -> probabilities (n, outputs)."""


@dataclass(frozen=True)
class Validation:
    """Patches of the validation fold, cut once.

    Attributes
    ----------
    patches : ndarray, float32 (n, patch_frames, n_mels)
        Log-mel.
    owner : ndarray, int (n,)
        Which sound each belongs to.
    labels : ndarray, int (sounds,)
        The output that each sound should give.
    channelled : ndarray, bool (sounds,)
        Whether it went through a channel.
    """

    patches: NDArray[np.float32]
    owner: NDArray[np.int64]
    labels: NDArray[np.int64]
    channelled: NDArray[np.bool_]

    def measure(self, probabilities: Probabilities) -> dict[str, float]:
        """Return clip accuracy as recorded and through channels: mean of the patches, background left out."""
        found = probabilities(self.patches)[:, :-1]
        means = np.stack([found[self.owner == i].mean(axis=0) for i in range(len(self.labels))])
        right = means.argmax(axis=1) == self.labels
        parts = {"validation": right[~self.channelled], "validation_channelled": right[self.channelled]}
        return {name: round(float(part.mean()), 4) for name, part in parts.items() if part.size}


def validation_set(material: Material, folder: Path, spec: FeatureSpec) -> Validation | None:
    """Return the patches of the material's validation fold, None if it has none."""
    chosen = material.validation
    if not chosen:
        return None
    bank = load(folder)
    windows: list[Window] = []
    owner: list[int] = []
    labels: list[int] = []
    channelled: list[bool] = []
    for clip in chosen:
        segments = np.flatnonzero(bank.clip == clip)
        heard = segments[bank.kind[segments] == CHANNELLED][:_CHANNELS]
        for segment in [int(segments[0]), *heard.tolist()]:
            for window in _windows(bank, segment, spec.patch_frames):
                windows.append(window)
                owner.append(len(labels))
            labels.append(material.outputs.index(material.clips[clip].slug))
            channelled.append(bool(bank.kind[segment] == CHANNELLED))
    magnitude = gather(bank, windows, spec.patch_frames, FLOOR)
    return Validation(
        augment.to_log(magnitude, spec), np.array(owner), np.array(labels), np.array(channelled)
    )


def _windows(bank: Segments, segment: int, patch: int) -> list[Window]:
    """Return the windows of a segment whose loudest frame opens the gate; at least one."""
    last = max(0, int(bank.length[segment]) - patch)
    windows = [Window(segment, start, 0, patch, False) for start in range(0, last + 1, _HOP_FRAMES)]
    loudest = [float(levels(bank, window, patch).max()) for window in windows]
    kept = [window for window, level in zip(windows, loudest, strict=True) if level >= _GATE_DBFS]
    return kept or [windows[int(np.argmax(loudest))]]
