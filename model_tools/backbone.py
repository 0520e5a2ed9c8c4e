"""The pretrained Yamnet-256 that STMicroelectronics publishes: its weights in this project's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from model_tools.architecture import YAMNET_256

_TENSORS = {"beta": "beta", "mean": "moving_mean", "variance": "moving_variance"}


def read_backbone(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a pretrained Yamnet-256 (Keras H5), all but a last layer's.

    Raises
    ------
    ModelError
        If the file is missing, no H5, or holds other tensors than this network's.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            stored: dict[str, Any] = {}
            file.visititems(
                lambda name, item: stored.update({name: item[()]}) if hasattr(item, "shape") else None
            )
    except OSError as error:
        raise ModelError(
            f"cannot read the backbone ({error})",
            where=str(path),
            hint="`model-tools fetch yamnet256-backbone` brings it.",
        ) from None

    def tensor(suffix: str) -> NDArray[np.float32]:
        found = [value for name, value in stored.items() if name.endswith(f"/{suffix}:0")]
        if len(found) != 1:
            raise ModelError(
                f"{len(found)} tensors are called {suffix}",
                where=str(path),
                expected="the backbone of a Yamnet-256",
            )
        return np.asarray(found[0], np.float32)

    arrays = {}
    for name in YAMNET_256.layers:
        number, _, kind = name.partition("_")
        theirs = f"{number}/{'conv' if kind == 'conv' else f'{kind}_conv'}"
        kernel = "depthwise_kernel" if kind == "depthwise" else "kernel"
        arrays[f"{name}/kernel"] = tensor(f"{theirs}/{kernel}")
        for ours, stored_as in _TENSORS.items():
            arrays[f"{name}/{ours}"] = tensor(f"{theirs}/bn/{stored_as}")
    return arrays
