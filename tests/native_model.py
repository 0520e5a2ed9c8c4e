"""The shipped model with its library beside it, and TFLite's reference kernels, for the engine `native`."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.inference import quantize
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export.native import build_native
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.networks import Reference


def copied(model: Path, folder: Path) -> Path:
    """Copy model and manifest, without a library."""
    shutil.copy(model.with_suffix(".json"), folder)
    return Path(shutil.copy(model, folder))


@cache
def native_model() -> Path:
    """Return a copy of the shipped model that has its library, the same to all tests: not to be changed."""
    need_host()
    folder = Path(tempfile.mkdtemp(prefix="aed-native-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model = copied(DEFAULT_MODEL, folder)
    build_native(model)
    return model


def reference_scores(model: Path, patches: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return scores, int8 (n, classes), of patches, float32 (n, frames, mels), by TFLite's reference kernels.

    Not by those that the engine `tflite` takes: they round the logits otherwise, and one in some hundred
    patches has a score that differs by 1.
    """
    kernels, tensor = Reference(model.read_bytes(), "tflite"), load_manifest(model).input
    return np.stack([kernels.scores(quantize(rows, tensor.scale, tensor.zero_point)) for rows in patches])
