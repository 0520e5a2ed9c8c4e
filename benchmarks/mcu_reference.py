"""What the network is compared with: TFLite's kernels, of several makers and kinds."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.mcu_sounds import Rows
from benchmarks.outcome import UnavailableError

REFERENCE = "tflite-runtime BUILTIN_REF"

KERNELS: Mapping[str, tuple[str, str]] = {
    REFERENCE: ("tflite_runtime.interpreter", "BUILTIN_REF"),
    "tflite-runtime default (engine tflite)": ("tflite_runtime.interpreter", "AUTO"),
    "LiteRT BUILTIN_REF": ("ai_edge_litert.interpreter", "BUILTIN_REF"),
    "LiteRT default (engine litert)": ("ai_edge_litert.interpreter", "AUTO"),
}


class Kernels:
    """A .tflite with the kernels of one runtime; UnavailableError without it."""

    def __init__(self, model: bytes, name: str, frames: int | None = None) -> None:
        module_name, resolver = KERNELS[name]
        try:
            module: Any = importlib.import_module(module_name)
        except ImportError:
            raise UnavailableError(f"{name}: {module_name.partition('.')[0]} is not installed") from None
        self._interpreter = module.Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=getattr(module.OpResolverType, resolver),
            experimental_preserve_all_tensors=frames is not None,
        )
        self._entry = int(self._interpreter.get_input_details()[0]["index"])
        self._output = int(self._interpreter.get_output_details()[0]["index"])
        if frames:
            mels = int(self._interpreter.get_input_details()[0]["shape"][1])
            self._interpreter.resize_tensor_input(self._entry, [1, mels, frames, 1])
        self._interpreter.allocate_tensors()

    def scores(self, patches: Rows) -> Rows:
        """Return the scores of patches, int8 (n, classes)."""
        found = []
        for patch in patches:
            self._run(patch)
            found.append(self._interpreter.get_tensor(self._output)[0])
        return np.array(found, np.int8)

    def tensors(self, rows: Rows, wanted: Mapping[str, int]) -> dict[str, Rows]:
        """Return tensors between the layers, int8 (rows, columns, channels), of one input."""
        self._run(rows)
        return {name: self._interpreter.get_tensor(index)[0] for name, index in wanted.items()}

    def _run(self, rows: Rows) -> None:
        self._interpreter.set_tensor(self._entry, rows.T[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()
