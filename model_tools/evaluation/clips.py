"""How good a network is, float and int8, on clips that it was not trained on.

The clips are cut into patches by the daemon's own streams, and its energy gate decides which of
them count. A clip's class is the largest of the mean patch probabilities over the ten classes;
ties go to the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.features import PatchStream, log_mel
from aed_daemon.gate import EnergyGate
from aed_daemon.level import LevelStream
from aed_daemon.manifest import BACKGROUND, GateSpec, load_manifest
from aed_daemon.spec import FeatureSpec
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.statistics import wilson

if TYPE_CHECKING:
    from aed_daemon.inference import Classifier
    from model_tools.architecture import Arrays
    from model_tools.training.activation import Activation

Engine = Literal["auto", "native", "litert", "tflite"]

HOP_FRAMES = 72
"""Patches overlap by a quarter, as in the protocol of the design notes (accuracy.md)."""

ALARM = 0.7
"""Probability above which a patch of no class counts as a false alarm."""

Scores = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Patches, float32 (n, patch_frames, n_mels), -> probabilities (n, outputs)."""


@dataclass(frozen=True)
class ClipResult:
    """What a network made of some clips.

    Attributes
    ----------
    n, correct : int
        Clips, and those whose class came out.
    background : int
        Clips whose mean probability is largest for background.
    confusion : ndarray, int (10, 10)
        True class by found class.
    """

    n: int
    correct: int
    background: int
    confusion: NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a manifest or a report."""
        low, high = wilson(self.correct, self.n)
        return {
            "clip_accuracy": round(self.correct / self.n, 4) if self.n else None,
            "n": self.n,
            "ci95": [round(low, 4), round(high, 4)],
            "called_background": self.background,
            "recall": {
                slug: round(float(row[i] / row.sum()), 3)
                for i, (slug, row) in enumerate(zip(SLUGS, self.confusion, strict=True))
                if row.sum()
            },
        }


def clip_patches(samples: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    """Return the patches of a recording that pass the energy gate, float32 (k, patch_frames, n_mels), k >= 1.

    A recording shorter than a patch is followed by silence; of one that never opens the gate the
    loudest patch is taken.
    """
    least = spec.patch_samples + spec.n_fft
    if len(samples) < least:
        samples = np.concatenate([samples, np.zeros(least - len(samples), np.float32)])
    patches = PatchStream(spec, HOP_FRAMES).push(log_mel(samples, spec))
    level = LevelStream(spec.hop_length).push(samples).rms_cdb
    default = GateSpec(open_dbfs=-65.0, close_dbfs=-70.0)
    gate = EnergyGate(round(default.open_dbfs * 100), round(default.close_dbfs * 100))
    loudest = [int(level[p.first_frame : p.first_frame + spec.patch_frames].max()) for p in patches]
    kept = [p.rows for p, level_cdb in zip(patches, loudest, strict=True) if gate.passes(level_cdb)]
    return np.stack(kept or [patches[int(np.argmax(loudest))].rows])


def float_scores(weights: Arrays, activation: Activation) -> Scores:
    """Return the scores of a network before quantisation."""
    from model_tools.training.activation import probabilities
    from model_tools.training.network import from_arrays

    network = from_arrays(weights).eval()
    return lambda patches: probabilities(network, patches, activation)


def run_scores(run: Path, spec: FeatureSpec) -> Scores:
    """Return the scores of a run's network before quantisation.

    Raises
    ------
    ModelError
        If the run has left no weights, or ones for other features.
    """
    from model_tools.training.run_folder import read_config, read_weights

    return float_scores(read_weights(run, spec), read_config(run)["recipe"]["activation"])


_classifier: Classifier | None = None


def _start_classifier(model: Path, engine: Engine) -> str:
    from aed_daemon.inference import load_classifier

    global _classifier
    _classifier = load_classifier(model, engine)
    return _classifier.engine


def _classify(patches: NDArray[np.float32]) -> NDArray[np.int8]:
    if _classifier is None:
        raise RuntimeError("the process was not started by int8_scores()")
    return np.stack([_classifier.scores(rows) for rows in patches])


@contextmanager
def int8_scores(model: Path, engine: Engine) -> Iterator[tuple[Scores, str]]:
    """Give the scores of a model file through the daemon's own classifier, and the engine's name.

    The classifier runs in a process of its own: tflite-runtime fails in one that has loaded TensorFlow.

    Raises
    ------
    ModelError
        If model, manifest or engine are not right.
    """
    output = load_manifest(model).output
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            used = pool.submit(_start_classifier, model, engine).result()
        except ModelError as error:
            raise ModelError(error.what.rstrip(".")) from None

        def scores(patches: NDArray[np.float32]) -> NDArray[np.float64]:
            steps = pool.submit(_classify, patches).result().astype(np.float64)
            return np.asarray((steps - output.zero_point) * output.scale)

        yield scores, used


def evaluate_clips(
    sounds: Sequence[NDArray[np.float32]],
    labels: Sequence[int],
    outputs: Sequence[str],
    scores: Scores,
    spec: FeatureSpec,
    step: Callable[[], None] = lambda: None,
) -> ClipResult:
    """Classify clips by the mean of their patches' probabilities.

    Parameters
    ----------
    sounds : sequence of ndarray, float32 (n,)
        The clips.
    labels : sequence of int
        Index of each clip's class in `SLUGS`.
    outputs : sequence of str
        What the network's outputs are.
    """
    columns = [list(outputs).index(slug) for slug in SLUGS]
    confusion = np.zeros((len(SLUGS), len(SLUGS)), np.int64)
    background = 0
    for sound, label in zip(sounds, labels, strict=True):
        mean = scores(clip_patches(sound, spec)).mean(axis=0)
        confusion[label, int(np.argmax(mean[columns]))] += 1
        background += outputs[int(np.argmax(mean))] == BACKGROUND
        step()
    return ClipResult(len(sounds), int(np.trace(confusion)), background, confusion)


def evaluate_negatives(
    sounds: Sequence[NDArray[np.float32]], outputs: Sequence[str], scores: Scores, spec: FeatureSpec
) -> dict[str, Any]:
    """Return the share of patches of no class in which some class has a probability above 0.7."""
    columns = [i for i, slug in enumerate(outputs) if slug != BACKGROUND]
    alarms = patches = 0
    for sound in sounds:
        found = scores(clip_patches(sound, spec))[:, columns].max(axis=1)
        alarms, patches = alarms + int(np.count_nonzero(found > ALARM)), patches + len(found)
    return {"patches": patches, "above_0.7": alarms}
