"""Classifier: an int8 network behind one call; the only importer of the TFLite runtimes."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.manifest import DEFAULT_MODEL, ModelManifest, TensorSpec, load_manifest, read_model_file
from aed_daemon.native import NativeLibrary, library_path
from aed_daemon.tflite_file import check_tflite

Runtime = Literal["litert", "tflite"]
Engine = Literal["native", Runtime]

_MODULES: dict[Runtime, str] = {
    "litert": "ai_edge_litert.interpreter",
    "tflite": "tflite_runtime.interpreter",
}
_PACKAGES: dict[Runtime, str] = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}

_EXACT: dict[Runtime, bool] = {"litert": False, "tflite": True}
"""Whether the runtime gives what TFLite's reference kernels give, but for ties: tflite-runtime's own kernels
were one step off in one of two thousand patches. LiteRT's default, XNNPACK, differs in half of them."""


class Classifier(Protocol):
    """A patch in, the network's int8 scores out."""

    manifest: ModelManifest
    engine: str
    exact: bool

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the scores, int8 (classes,), of a patch, float32 (patch_frames, n_mels)."""


def available_engines(model: Path | None = None) -> list[Engine]:
    """Return the engines that are there, in the order in which `auto` takes them.

    Parameters
    ----------
    model : Path, optional
        Whose: `native` is there if its library lies beside it. Without one, the runtimes that are installed.
    """
    found: list[Engine] = []
    if model is not None and library_path(model).exists():
        found.append("native")
    for engine, module in _MODULES.items():
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            found.append(engine)
    return found


def quantize(rows: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Return real values as int8: rint(x / scale) + zero_point, saturated; halves go to even."""
    steps = np.rint(rows / np.float32(scale)) + np.float32(zero_point)
    return np.asarray(np.clip(steps, -128, 127), np.int8)


class TfliteClassifier:
    """A network that a TFLite runtime executes.

    Parameters
    ----------
    model : bytes
        The .tflite file.
    manifest : ModelManifest
        What it is; tensors that differ from it are refused. The thresholds are taken that were
        calibrated for the kind of engine.
    engine : {"litert", "tflite"}
        The runtime.
    threads : int
        Threads of one inference.

    Raises
    ------
    ModelError
        If the file is damaged or nothing that the daemon runs, the runtime is missing, cannot read it, or
        finds other tensors than the manifest's.
    """

    def __init__(self, model: bytes, manifest: ModelManifest, engine: Runtime, threads: int = 1) -> None:
        self.engine: str = engine
        self.exact = _EXACT[engine]
        self.manifest = manifest.for_engine(exact=self.exact)
        check_tflite(model, manifest.file)
        try:
            module = importlib.import_module(_MODULES[engine])
        except ImportError as error:
            raise ModelError(
                f"the engine {engine} cannot be loaded ({error})",
                hint=f'Install {_PACKAGES[engine]}, or set engine = "auto".',
            ) from None
        try:
            self._interpreter = module.Interpreter(model_content=model, num_threads=threads)
            # Before memory is taken for it.
            self._input = self._tensor("input", self._interpreter.get_input_details(), manifest.input)
            self._interpreter.allocate_tensors()
            self._interpreter.invoke()  # on zeros: what cannot run is refused now
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelError(
                f"{engine} cannot read the model ({_first_line(error)})",
                where=manifest.file,
                hint="The file is damaged or needs a newer runtime.",
            ) from None
        self._output = self._tensor("output", self._interpreter.get_output_details(), manifest.output)
        self._transposed = manifest.input.layout == "mels_frames"

    def _tensor(self, role: str, details: list[dict[str, Any]], wanted: TensorSpec) -> int:
        if len(details) != 1:
            raise ModelError(
                f"the model has {len(details)} {role}s", where=self.manifest.file, expected="one"
            )
        found = details[0]
        scale, zero_point = found["quantization"]
        facts = {
            "shape": tuple(int(n) for n in found["shape"]),
            "dtype": np.dtype(found["dtype"]).name,
            "scale": scale,
            "zero point": int(zero_point),
        }
        _check_tensor(self.manifest, role, facts, wanted)
        return int(found["index"])

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the scores, int8 (classes,), of a patch, float32 (patch_frames, n_mels)."""
        tensor = self.manifest.input
        patch = quantize(rows, tensor.scale, tensor.zero_point)
        # A view of the interpreter's own memory; it must not outlive this statement.
        self._interpreter.tensor(self._input)()[0, :, :, 0] = patch.T if self._transposed else patch
        self._interpreter.invoke()
        result: NDArray[np.int8] = self._interpreter.get_tensor(self._output)[0]
        return result


class NativeClassifier:
    """A network that was compiled for this machine by `model-tools native`.

    Parameters
    ----------
    library : NativeLibrary
        The network.
    manifest : ModelManifest
        What it is; a library of another model, or of tensors that differ, is refused.

    Raises
    ------
    ModelError
        If library and manifest do not belong together.
    """

    def __init__(self, library: NativeLibrary, manifest: ModelManifest) -> None:
        self.engine = "native"
        self.exact = True
        self.manifest = manifest.for_engine(exact=True)
        if library.sha256 != manifest.sha256:
            raise library.refused(
                "the library is of another model",
                expected=f"sha256 {manifest.sha256[:16]}…",
                got=f"{library.sha256[:16]}…",
            )
        for role, found, wanted in (
            ("input", library.input, manifest.input),
            ("output", library.output, manifest.output),
        ):
            facts = {"shape": found.shape, "scale": found.scale, "zero point": found.zero_point}
            _check_tensor(manifest, role, facts, wanted)
        self._library = library

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the scores, int8 (classes,), of a patch, float32 (patch_frames, n_mels)."""
        tensor = self.manifest.input
        return self._library.scores(quantize(rows, tensor.scale, tensor.zero_point))


def _check_tensor(manifest: ModelManifest, role: str, facts: dict[str, Any], wanted: TensorSpec) -> None:
    for name, got in facts.items():
        expected = getattr(wanted, name.replace(" ", "_"))
        if name == "scale":
            got, expected = float(np.float32(got)), float(np.float32(expected))
        if got != expected:
            raise ModelError(
                f"the {role}'s {name} is not the manifest's",
                where=manifest.file,
                expected=str(expected),
                got=str(got),
                hint="Model and manifest do not belong together.",
            )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def load_classifier(
    path: Path | None = None, engine: Literal["auto", Engine] = "auto", threads: int = 1
) -> Classifier:
    """Load a model and its manifest.

    Parameters
    ----------
    path : Path, optional
        NAME.tflite with NAME.json beside it; the built-in model if None.
    engine : {"auto", "native", "litert", "tflite"}
        auto takes the first of them that is there.
    threads : int
        Threads of one inference; native has one.

    Raises
    ------
    ModelError
        If anything about the model, its manifest or the engine is not right.
    """
    path = path or DEFAULT_MODEL
    manifest = load_manifest(path)
    engines: list[Engine] = available_engines(path) if engine == "auto" else [engine]
    if not engines:
        raise ModelError(
            "no engine is there to run the network",
            hint="Install tflite-runtime (Python 3.9 to 3.11) or ai-edge-litert (3.10+, not on armv7l), or "
            "make a library of the network with model-tools native.",
        )
    if engines[0] == "native":
        return NativeClassifier(NativeLibrary(library_path(path), path), manifest)
    return TfliteClassifier(read_model_file(path.with_name(manifest.file)), manifest, engines[0], threads)
