"""The baseline of the replay: what one writes without streaming; `python -m benchmarks.naive FILE ENGINE`.

The file is decoded and resampled whole; for each hop librosa computes the whole window anew and the
network sees it, loud or silent. No levels, no tracker, no events.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np

from aed_daemon.inference import load_classifier
from benchmarks.clips import decode
from benchmarks.log_mel import HOP_FRAMES, librosa_mel, window_samples


def classify(path: Path, engine: Literal["litert", "tflite"]) -> list[int]:
    """Return the best class of each hop."""
    classifier = load_classifier(engine=engine)
    spec = classifier.manifest.spec
    mel = librosa_mel(spec, keep_filters=False)
    samples = decode(path, spec.sample_rate_hz)
    window = window_samples(spec)
    starts = range(0, len(samples) - window + 1, HOP_FRAMES * spec.hop_length)
    return [int(np.argmax(classifier.scores(mel(samples[at : at + window])))) for at in starts]


if __name__ == "__main__":
    print(len(classify(Path(sys.argv[1]), "litert" if sys.argv[2] == "litert" else "tflite")))
