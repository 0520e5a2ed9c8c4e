"""Make the cases of this folder: synthesised patches and what the pretrained backbone makes of them.

    python tests/golden/backbone/make.py BACKBONE.h5

The embeddings are computed here in float64 with NumPy from the tensors and the layer list of the H5
alone, without Keras and without this project's network, so that the test compares two independent
readings of the file. Nothing of the weights is stored.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from aed_daemon.features import log_mel
from aed_daemon.spec import YAMNET_256

Array = NDArray[np.float64]


def sounds() -> dict[str, Array]:
    """Return the sounds of the cases, each as long as one patch."""
    spec = YAMNET_256
    n = (spec.patch_frames - 1) * spec.hop_length + spec.n_fft
    t = np.arange(n) / spec.sample_rate_hz
    rng = np.random.default_rng(20_261_123)
    return {
        "silence": np.zeros(n),
        "noise_-30dbfs": rng.standard_normal(n) * 10 ** (-30 / 20),
        "quiet_noise_-80dbfs": rng.standard_normal(n) * 10 ** (-80 / 20),
        "rising_tone": 0.5 * np.sin(2 * np.pi * (200 * t + 1_500 * t**2)),
        "late_burst": 0.3 * rng.standard_normal(n) * (t > 0.7) * np.exp(-8 * np.maximum(t - 0.7, 0)),
        "hum_and_clicks": 0.1 * np.sin(2 * np.pi * 100 * t) + (np.arange(n) % 4_000 < 8) * 0.8,
    }


def padded(x: Array, stride: int) -> Array:
    """Pad rows and columns for a 3x3 window as TensorFlow's SAME does: the odd one goes after."""
    sides = []
    for size in x.shape[:2]:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        sides.append((total // 2, total - total // 2))
    return np.pad(x, (*sides, (0, 0)))


def windows(x: Array, stride: int) -> Array:
    """Return the 3x3 windows, (rows, columns, channels, 3, 3)."""
    view = sliding_window_view(padded(x, stride), (3, 3), axis=(0, 1))  # type: ignore[call-overload]
    return np.asarray(view[::stride, ::stride])


def layer_list(file: Any) -> list[dict[str, Any]]:
    """Return the layers of the H5's functional part in order."""
    config = json.loads(file.attrs["model_config"])
    inner = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Functional")
    return list(inner["config"]["layers"])


def embedding(file: Any, patch: NDArray[np.float32]) -> Array:
    """Walk the H5's own layer list: patch (frames, mels) -> embedding (256,)."""
    weights: dict[str, Array] = {}
    file["model_weights"].visititems(
        lambda name, item: (
            weights.update({name.partition("/")[2].removesuffix(":0"): item[()].astype(np.float64)})
            if isinstance(item, h5py.Dataset)
            else None
        )
    )
    x = patch.astype(np.float64)[:, :, None]
    for layer in layer_list(file):
        kind, config = layer["class_name"], layer["config"]
        name = config["name"]
        if kind == "InputLayer":
            continue
        if kind == "Conv2D" and config["kernel_size"] == [3, 3]:
            x = np.einsum("rcikl,kliO->rcO", windows(x, config["strides"][0]), weights[f"{name}/kernel"])
        elif kind == "Conv2D":
            x = x @ weights[f"{name}/kernel"][0, 0]
        elif kind == "DepthwiseConv2D":
            kernel = weights[f"{name}/depthwise_kernel"][..., 0]
            x = np.einsum("rcikl,kli->rci", windows(x, config["strides"][0]), kernel)
        elif kind == "BatchNormalization":
            variance = weights[f"{name}/moving_variance"] + config["epsilon"]
            x = (x - weights[f"{name}/moving_mean"]) / np.sqrt(variance) + weights[f"{name}/beta"]
        elif kind == "ReLU":
            x = np.maximum(x, 0.0)
        elif kind == "GlobalAveragePooling2D":
            x = x.mean(axis=(0, 1))
        else:
            raise SystemExit(f"unexpected layer {kind}")
    return x.mean(axis=(0, 1)) if x.ndim == 3 else x


def main(path: Path) -> None:
    """Write one case per sound."""
    with h5py.File(path) as file:
        for name, sound in sounds().items():
            patch = log_mel(sound.astype(np.float32), YAMNET_256)
            values = embedding(file, patch).astype(np.float32)
            target = Path(__file__).with_name(f"{name}.npz")
            np.savez_compressed(target, patch=patch, embedding=values, spec_id=YAMNET_256.spec_id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
