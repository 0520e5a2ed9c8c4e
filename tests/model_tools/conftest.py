"""A tiny data set in ESC-10's folders: synthesised sounds, two clips per class and fold."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model_tools.data.esc10 import SLUGS

RATE_HZ = 16_000


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    t = np.arange(int(1.6 * RATE_HZ)) / RATE_HZ
    for number, _ in enumerate(SLUGS, start=1):
        folder = root / "esc10" / f"{number:03d} - Class {number}"
        folder.mkdir(parents=True)
        for fold in (1, 2):
            sound = 0.4 * np.sin(2 * np.pi * 300.0 * number * t) * np.exp(-2 * t) + rng.normal(
                0, 1e-3, len(t)
            )
            soundfile.write(folder / f"{fold}-{1000 * number + fold}-A.wav", sound, RATE_HZ)
    negatives = root / "negatives" / "clips"
    negatives.mkdir(parents=True)
    for name in ("seen", "5703-47212-0000"):
        soundfile.write(negatives / f"{name}.wav", rng.normal(0, 0.05, 2 * RATE_HZ), RATE_HZ)
    (negatives / "seen.txt").write_text("Noise. CC-BY https://creativecommons.org/licenses/by/4.0/\n")
    return root


@pytest.fixture(scope="session")
def tensorflow() -> Iterator[Executor]:
    """Run things that need TensorFlow in a process of its own.

    tflite-runtime, which other tests need, fails in a process that has loaded TensorFlow.
    """
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed (pip install .[tools])")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool
