"""The engines beside each other: what an inference takes, and which have the reference kernels' scores."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.features import log_mel
from aed_daemon.inference import Classifier, available_engines, load_classifier, quantize
from aed_daemon.manifest import DEFAULT_MODEL, ModelManifest, load_manifest
from benchmarks.clips import RATE_HZ, clips, decode
from benchmarks.measure import alternate
from benchmarks.outcome import Outcome, Row, UnavailableError

_FOLDS = range(1, 6)
_HOP_FRAMES = 96
_REFERENCES = {"tflite": "tflite_runtime.interpreter", "litert": "ai_edge_litert.interpreter"}
"""Runtimes whose reference kernels (BUILTIN_REF) engines are compared with; they differ among themselves."""

Patches = NDArray[np.float32]
Scores = NDArray[np.int8]


def recorded(manifest: ModelManifest, *, quick: bool) -> Patches:
    """Return patches of ESC-10 that do not overlap, float32 (n, frames, mels)."""
    paths = [path for fold in _FOLDS for path in clips(fold)]
    rows = [log_mel(decode(path, RATE_HZ), manifest.spec) for path in paths[:: 40 if quick else 1]]
    length = manifest.spec.patch_frames
    ends = [range(length, len(clip) + 1, _HOP_FRAMES) for clip in rows]
    return np.stack(
        [clip[end - length : end] for clip, these in zip(rows, ends, strict=True) for end in these]
    )


def reference(runtime: str, model: bytes, manifest: ModelManifest) -> Callable[[Patches], Scores]:
    """Return what computes a patch's scores by the reference kernels of a runtime."""
    try:
        module = importlib.import_module(_REFERENCES[runtime])
    except ImportError as error:
        raise UnavailableError(f"{runtime}: {error}") from None
    interpreter = module.Interpreter(
        model_content=model, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    entry, output = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def scores(rows: Patches) -> Scores:
        patch = quantize(rows, manifest.input.scale, manifest.input.zero_point)
        turned = patch.T if manifest.input.layout == "mels_frames" else patch
        interpreter.set_tensor(entry, turned[None, :, :, None])
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output)[0], np.int8)

    return scores


def differences(ours: Scores, theirs: Scores) -> dict[str, int]:
    """Return in how many patches and bytes scores differ, and by how many steps at most."""
    steps = np.abs(ours.astype(np.int64) - theirs)
    return {
        "patches": int(steps.any(axis=1).sum()),
        "bytes": int(np.count_nonzero(steps)),
        "steps": int(steps.max()),
    }


def _classifiers(folder: Path) -> dict[str, Classifier]:
    from model_tools.export.native import with_native

    try:
        model = with_native(DEFAULT_MODEL, folder)
    except AedError as error:
        raise UnavailableError(str(error)) from None
    return {engine: load_classifier(model, engine) for engine in available_engines(model)}


def run(*, quick: bool) -> Outcome:
    """Measure it, one thread each."""
    manifest = load_manifest(DEFAULT_MODEL)
    patches = recorded(manifest, quick=quick)
    with TemporaryDirectory(prefix="aed-bench-") as folder:
        engines = _classifiers(Path(folder))
        model = DEFAULT_MODEL.read_bytes()
        references = {name: reference(name, model, manifest) for name in _REFERENCES}
        made = {name: np.stack([one.scores(rows) for rows in patches]) for name, one in engines.items()}
        made |= {f"{name}_reference": np.stack(list(map(one, patches))) for name, one in references.items()}
        work = {name: partial(one.scores, patches[0]) for name, one in engines.items()}
        taken = {name: times.scaled(1e3) for name, times in alternate(work, 20 if quick else 400, 10).items()}
    # The least: an inference always does the same work, and what others do on the machine only adds to it.
    least = {name: times.spread(3)["min"] for name, times in taken.items()}
    against: dict[str, Any] = {
        name: {other: differences(made[name], made[other]) for other in made if other.endswith("_reference")}
        for name in made
    }
    rows = []
    for name, milliseconds in least.items():
        found = against[name]["tflite_reference"]
        beside = f"{found['patches']} of {len(patches)} patches differ from the reference kernels, "
        rows.append(Row(f"inference, {name}", milliseconds, "ms", f"{beside}by {found['steps']} at most"))
    return Outcome(
        figures={
            "engine_ms": least,
            "engine_differing_patches": {
                "n": len(patches), **{name: against[name]["tflite_reference"]["patches"] for name in least},
            },
        },
        details={
            "unit": "ms per patch, quantisation of its values included, one thread; the least of all runs",
            "patches": f"{len(patches)} of ESC-10, all clips, {_HOP_FRAMES} frames apart",
            "reference": "BUILTIN_REF of each runtime",
            "differing": against,
            "spread": {name: times.spread() for name, times in taken.items()},
        },
        rows=rows,
    )  # fmt: skip
