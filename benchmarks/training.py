"""Cost of a training step: our trainer, PyTorch without the compiled operators, Keras on TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.spec import FeatureSpec
from benchmarks.measure import alternate
from benchmarks.outcome import Outcome, Row, UnavailableError

_BATCH, _OUTPUTS = 64, 11


def run(*, quick: bool) -> Outcome:
    """Measure it, one thread each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from model_tools.training import fused

    if fused.extension() is None:
        raise UnavailableError("no compiler: apt-get install g++, pip install ninja")
    spec = load_manifest(DEFAULT_MODEL).spec
    rng = np.random.default_rng(1)
    patches = rng.standard_normal((_BATCH, spec.patch_frames, spec.n_mels)).astype(np.float32)
    labels = np.eye(_OUTPUTS, dtype=np.float32)[rng.integers(0, _OUTPUTS, _BATCH)]
    work = {
        "ours": _torch(patches, labels, compiled=True),
        "pytorch": _torch(patches, labels, compiled=False),
        "keras_tensorflow": _keras(spec, patches, labels),
    }
    taken = {name: times.scaled(1e3) for name, times in alternate(work, 3 if quick else 30).items()}
    medians = {name: times.spread()["median"] for name, times in taken.items()}
    return Outcome(
        figures={"training_step_ms": medians},
        details={
            "unit": f"ms per step of {_BATCH} patches, one thread",
            "ratio_keras_tensorflow": round(medians["keras_tensorflow"] / medians["ours"], 2),
            "ratio_pytorch": round(medians["pytorch"] / medians["ours"], 2),
            "spread": {name: times.spread() for name, times in taken.items()},
        },
        rows=[
            Row(
                "training step, 64 patches",
                medians["ours"],
                "ms",
                f"PyTorch's own operators {medians['pytorch']:g}, "
                f"Keras on TensorFlow {medians['keras_tensorflow']:g}",
            )
        ],
    )


def _torch(patches: Any, labels: Any, *, compiled: bool) -> Callable[[], None]:
    import torch

    from model_tools.architecture import YAMNET_256
    from model_tools.training import fused
    from model_tools.training.network import build

    torch.set_num_threads(1)
    network = build(_OUTPUTS, YAMNET_256, seed=1).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    inputs, targets = torch.from_numpy(patches), torch.from_numpy(labels)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with fused.switched(compiled):
            loss = torch.nn.functional.cross_entropy(network(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _keras(spec: FeatureSpec, patches: Any, labels: Any) -> Callable[[], None]:
    import keras
    import tensorflow as tf

    from model_tools.architecture import YAMNET_256
    from model_tools.model import build as build_keras
    from model_tools.training.network import arrays, build

    tf.config.threading.set_intra_op_parallelism_threads(1)
    network = build_keras(spec, arrays(build(_OUTPUTS, YAMNET_256, seed=1)))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(1e-3), loss, jit_compile=False)
    return lambda: network.train_on_batch(patches[..., None], labels)
