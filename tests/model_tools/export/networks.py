"""Networks in C behind ctypes, and TFLite's own kernels to compare them with."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.features import log_mel
from aed_daemon.inference import quantize
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export.graph import read_network
from model_tools.export.network_c import SOURCES, network_files
from model_tools.export.plan import Mode, Plan, plan
from tests.recordings import esc10

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / "model_tools" / "export" / "csrc"

Rows = NDArray[np.int8]
Engine = Literal["tflite", "litert"]

ROUNDINGS: dict[Engine, Literal[1, 2]] = {"tflite": 2, "litert": 1}
"""How often the reference kernels of each round the logits."""

_MODULES = {"tflite": "tflite_runtime.interpreter", "litert": "ai_edge_litert.interpreter"}


def written(folder: Path, made: Plan, roundings: Literal[1, 2] = 2) -> tuple[list[Path], list[Path]]:
    """Write a network's files; return what to compile and where headers lie."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in network_files(made, "a test", roundings).items():
        (folder / name).write_text(text)
    return [*(CSRC / name for name in SOURCES), folder / "aed_weights.c"], [CSRC, folder]


def planned(model: bytes, mode: Mode = "patch", hop_frames: int = 24) -> Plan:
    return plan(read_network(model), mode, hop_frames)


class CNetwork:
    """The C on this machine, with a state of its own."""

    def __init__(self, library: Path, made: Plan) -> None:
        self._c = ctypes.CDLL(str(library))
        self._plan = made
        self._c.state_size.restype = self._c.push.restype = ctypes.c_size_t
        for name in ("push_row", "step", "scores"):
            getattr(self._c, f"aed_network_{name}").restype = ctypes.c_bool
        self.size = int(self._c.state_size())
        # Nothing may depend on what the memory held before.
        self._state = (ctypes.c_uint32 * (self.size // 4 + 1))(*[0xDEADBEEF] * (self.size // 4 + 1))
        self.begin()

    def begin(self) -> None:
        self._c.aed_network_init(self._state)

    def walk(self, rows: Rows) -> tuple[Rows, list[int]]:
        """Push rows, each with all the work that it makes; return all scores and after how many rows."""
        rows = np.ascontiguousarray(rows)
        scores = np.zeros((len(rows), self._plan.network.output.channels), np.int8)
        at = (ctypes.c_size_t * len(rows))()
        count = self._c.push(
            self._state, rows.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(rows)),
            scores.ctypes.data_as(ctypes.c_void_p), at,
        )  # fmt: skip
        assert count <= len(rows)
        return scores[:count], list(at[:count])

    def push_row(self, row: Rows) -> bool:
        return bool(self._c.aed_network_push_row(self._state, row.tobytes()))

    def step(self) -> bool:
        return bool(self._c.aed_network_step(self._state))

    def scores(self) -> Rows | None:
        scores = (ctypes.c_int8 * self._plan.network.output.channels)()
        return np.array(scores, np.int8) if self._c.aed_network_scores(self._state, scores) else None

    def newest_rows(self) -> Iterator[tuple[int, Rows]]:
        """Yield number and values, int8 (columns, channels), of the newest row of each stage; -1 if none."""
        for number, stage in enumerate(self._plan.stages[:-1]):
            values = np.zeros((stage.columns, stage.channels), np.uint8)
            row = self._c.aed_network_row(
                self._state, ctypes.c_uint32(number), values.ctypes.data_as(ctypes.c_void_p)
            )
            yield row, (values.astype(np.int16) - 128).astype(np.int8)


class Reference:
    """TFLite's reference kernels.

    Parameters
    ----------
    model : bytes
        The .tflite.
    engine : {"tflite", "litert"}
        Whose; skips the test if it is not installed.
    frames : int
        Length of the input, if not the model's.
    """

    def __init__(self, model: bytes, engine: Engine = "litert", frames: int | None = None) -> None:
        module = interpreter_module(engine)
        self._interpreter: Any = module.Interpreter(
            model_content=model,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        self._entry = int(self._interpreter.get_input_details()[0]["index"])
        if frames:
            self._interpreter.resize_tensor_input(self._entry, [1, 64, frames, 1])
        self._interpreter.allocate_tensors()
        self._outputs = [int(op["outputs"][0]) for op in self._interpreter._get_ops_details()]

    def scores(self, patch: Rows) -> Rows:
        return self.run(patch.T[None, :, :, None])[-1]

    def run(self, tensor: NDArray[np.int8]) -> Sequence[Rows]:
        """Return the outputs of all operators, for the only patch."""
        return [output[0] for output in self.outputs(tensor)]

    def outputs(self, tensor: NDArray[np.int8]) -> Sequence[Rows]:
        """Return the outputs of all operators."""
        self._interpreter.set_tensor(self._entry, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def interpreter_module(engine: Engine) -> Any:
    """Import a TFLite runtime; skip the test if it is not installed."""
    try:
        return importlib.import_module(_MODULES[engine])
    except ImportError:
        pytest.skip(f"{_MODULES[engine].partition('.')[0]} is not installed")


def noise_patches(count: int, seed: int, frames: int = 96) -> Rows:
    """Return int8 (count, frames, 64): all values alike, levels of noise, walks along time and frequency."""
    rng = np.random.default_rng(seed)
    patches = np.empty((count, frames, 64), np.float64)
    for i in range(count):
        level = rng.normal(-40, 40)
        if i % 4 == 0:
            patches[i] = rng.integers(-128, 128, (frames, 64))
        elif i % 4 == 1:
            patches[i] = level + rng.normal(0, 40 * rng.random(), (frames, 64))
        else:
            patches[i] = level + np.cumsum(rng.normal(0, 8, (frames, 64)), i % 2)
    return np.clip(np.rint(patches), -128, 127).astype(np.int8)


@cache
def recorded_rows(clips: int) -> Rows:
    """Return the rows of some of ESC-10's clips, one behind the other, int8 (t, 64)."""
    manifest = load_manifest(DEFAULT_MODEL)
    files = [path for _, path in esc10()]
    chosen = files[:: max(1, len(files) // clips)][:clips]
    rows = [log_mel(decode(path, manifest.spec.sample_rate_hz), manifest.spec) for path in chosen]
    return quantize(np.concatenate(rows), manifest.input.scale, manifest.input.zero_point)


def recorded_patches(clips: int, hop_frames: int = 48) -> Rows:
    """Return patches of these rows, int8 (n, 96, 64)."""
    rows = recorded_rows(clips)
    return np.stack([rows[at : at + 96] for at in range(0, len(rows) - 95, hop_frames)])
