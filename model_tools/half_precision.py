"""Weights in half precision beside a model: what `evaluate` compares eight bits with, without the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aed_daemon.errors import AedError, ModelError
from model_tools.architecture import Arrays


def half_path(model: Path) -> Path:
    """Return where the weights of a model file lie: NAME.npz beside NAME.tflite."""
    return model.with_suffix(".npz")


def write_half(model: Path, weights: Arrays) -> None:
    """Write weights as float16 beside a model.

    Raises
    ------
    AedError
        If the disk is full or the folder cannot be written, or a weight is beyond float16.
    """
    largest = float(np.finfo(np.float16).max)
    if not all((np.abs(values) <= largest).all() for values in weights.values()):
        raise AedError("a weight is too large for half precision", where=str(model))
    halves = {name: values.astype(np.float16) for name, values in sorted(weights.items())}
    path = half_path(model)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **halves)
        temporary.replace(path)
    except OSError as error:
        raise AedError(f"cannot write the weights ({error.strerror})", where=str(path)) from None


def read_half(model: Path) -> Arrays | None:
    """Return the weights beside a model as float32, None where there are none.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    path = half_path(model)
    if not path.exists():
        return None
    try:
        with np.load(path) as stored:
            return {name: stored[name].astype(np.float32) for name in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"the weights cannot be read ({error})", where=str(path)) from None
