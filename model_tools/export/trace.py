"""The network of an export, layer by layer, against TFLite's reference kernels: the first difference."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError, ModelError
from model_tools.export.emit import read_model
from model_tools.export.footprint import SELFTEST_SOURCES, VERIFICATION
from model_tools.export.graph import Network
from model_tools.export.plan import Plan, plan
from model_tools.export.reference import walk
from model_tools.export.toolchain import host_program

_SCORES = 255
_TFLITE, _LITERT = "tflite-runtime", "LiteRT"


class Comparison(NamedTuple):
    """What was compared, and what came of it.

    Attributes
    ----------
    reference : str
        With what.
    patches, bytes, differing : int
        How much, scores and rows of all stages but the last, and how many bytes differ.
    first : str
        The first difference, "" if there is none.
    """

    reference: str
    patches: int
    bytes: int
    differing: int
    first: str


def compared(export: Path, report: Mapping[str, Any], model: Path, patches: int, work: Path) -> Comparison:
    """Run the network of an export on this machine and compare it with its model.

    Parameters
    ----------
    export : Path
        Its folder.
    report : mapping
        Its report.json.
    model : Path
        NAME.tflite with NAME.json beside it.
    patches : int
        How many.
    work : Path
        Folder for what is built.

    Raises
    ------
    ModelError
        If it is of another model.
    """
    read = read_model(model)
    if read.manifest.sha256 != report["model"]["sha256"]:
        raise ModelError(
            "the export is of another model",
            where=str(model),
            expected=f"sha256 {report['model']['sha256'][:16]}…",
            got=f"{read.manifest.sha256[:16]}…",
        )
    shape = plan(read.network, report["mode"], report["hop_frames"])
    inputs = inputs_of(read.network, patches)
    source = export / "src"
    sources = [path for path in sorted(source.glob("aed_*.c")) if path.name not in SELFTEST_SOURCES]
    # The network alone: it needs nothing of the others, but they do no harm.
    program = host_program([*sources, VERIFICATION / "trace.c"], work / "trace", includes=[source])
    done = subprocess.run([str(program)], input=inputs.tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise AedError("the network takes no more rows", where=str(source))
    ours = _parsed(done.stdout, shape)
    if shape.mode == "patch":
        reference, theirs = _by_tflite(model, shape, inputs)
    else:
        reference, theirs = "the network in NumPy over one long input", _by_numpy(shape, inputs)
    return _compared(reference, patches, ours, theirs)


def inputs_of(network: Network, patches: int) -> NDArray[np.int8]:
    """Return rows for some patches, int8 (t, n_mels): noise of many levels and depths, and slow changes."""
    rng = np.random.default_rng(4)
    shape = (network.input.rows, network.input.columns)
    made = []
    for number in range(patches):
        level, depth = rng.uniform(-120, 100), rng.uniform(1, 60)
        kinds = (
            rng.integers(-128, 128, shape),
            rng.normal(level, depth, shape),
            level + np.cumsum(rng.normal(0, depth / 8, shape), axis=0),
        )
        made.append(np.clip(kinds[number % len(kinds)], -128, 127).astype(np.int8))
    return np.concatenate(made)


def _parsed(data: bytes, shape: Plan) -> dict[str, NDArray[np.int8]]:
    """Return the rows of each stage and the scores, in the order in which they came."""
    stages, at = shape.stages[:-1], 0
    found: dict[str, list[NDArray[np.int8]]] = {stage.producer.name: [] for stage in stages}
    found["scores"] = []
    while at < len(data):
        number, at = data[at], at + 1
        scores = number == _SCORES
        size = shape.network.output.channels if scores else stages[number].columns * stages[number].channels
        values = np.frombuffer(data, np.uint8, size, at)
        at += size
        if scores:
            found["scores"].append(values.view(np.int8))
        else:
            rows = (values.astype(np.int16) - 128).astype(np.int8)
            found[stages[number].producer.name].append(rows.reshape(stages[number].columns, -1))
    return {name: np.array(rows, np.int8) for name, rows in found.items()}


def _by_tflite(model: Path, shape: Plan, inputs: NDArray[np.int8]) -> tuple[str, dict[str, NDArray[np.int8]]]:
    """Return the same of TFLite's reference kernels; of NumPy where no runtime is installed."""
    name, module = _runtime()
    if module is None:
        return "the network in NumPy (tflite-runtime is not installed)", _by_numpy(shape, inputs)
    data = model.with_suffix(".tflite").read_bytes()
    engine = module.Interpreter(
        model_content=data,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    engine.allocate_tensors()
    entry, output = (
        details[0]["index"] for details in (engine.get_input_details(), engine.get_output_details())
    )
    known = tensors_of(data, shape.network)
    tensors = {stage.producer.name: known[stage.producer.name] for stage in shape.stages[:-1]}
    found: dict[str, list[NDArray[np.int8]]] = {name: [] for name in (*tensors, "scores")}
    for patch in np.split(inputs, len(inputs) // shape.network.input.rows):
        given = patch.T if shape.network.transposed else patch
        engine.set_tensor(entry, given[np.newaxis, :, :, np.newaxis])
        engine.invoke()
        for name, tensor in tensors.items():
            found[name].append(engine.get_tensor(tensor)[0])
        found["scores"].append(engine.get_tensor(output))
    joined = {name: np.concatenate(values) for name, values in found.items()}
    reference = f"the reference kernels (BUILTIN_REF) of {name}"
    if name == _LITERT:
        # It rounds the logits once.
        joined["scores"] = _by_numpy(shape, inputs)["scores"]
        reference += ", scores of the network in NumPy"
    return reference, joined


def _runtime() -> tuple[str, Any]:
    """Return the name and module of the first runtime that is installed."""
    for name, module in ((_TFLITE, "tflite_runtime.interpreter"), (_LITERT, "ai_edge_litert.interpreter")):
        try:
            return name, importlib.import_module(module)
        except ImportError:
            continue
    return "", None


def tensors_of(model: bytes, network: Network) -> dict[str, int]:
    """Return the number of the tensor that each convolution of a .tflite makes, by its name."""
    import tflite

    graph = tflite.Model.GetRootAsModel(model, 0).Subgraphs(0)
    first = 1 if network.transposed else 0
    return {
        layer.name: int(graph.Operators(first + place).Outputs(0))
        for place, layer in enumerate(network.convolutions)
    }


def _by_numpy(shape: Plan, inputs: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    length = shape.network.input.rows
    parts = np.split(inputs, len(inputs) // length) if shape.mode == "patch" else [inputs]
    outcomes = [walk(shape, part) for part in parts]
    found = {
        stage.producer.name: np.concatenate([outcome.planes[stage.producer.name] for outcome in outcomes])
        for stage in shape.stages[:-1]
    }
    return {**found, "scores": np.concatenate([outcome.scores for outcome in outcomes])}


def _compared(
    reference: str,
    patches: int,
    ours: Mapping[str, NDArray[np.int8]],
    theirs: Mapping[str, NDArray[np.int8]],
) -> Comparison:
    first, differing, total = "", 0, 0
    for name, expected in theirs.items():
        found = ours[name]
        total += expected.size
        if found.shape != expected.shape:
            differing += expected.size
            first = first or f"{name}: expected {len(expected)} rows, got {len(found)}"
            continue
        apart = np.argwhere(found != expected)
        differing += len(apart)
        if len(apart) and not first:
            first = _told(name, apart[0], int(expected[tuple(apart[0])]), int(found[tuple(apart[0])]))
    return Comparison(reference, patches, total, differing, first)


def _told(name: str, place: Sequence[int] | NDArray[np.int64], expected: int, found: int) -> str:
    axes = ("decision", "class") if name == "scores" else ("row", "column", "channel")
    where = ", ".join(f"{axis} {int(number)}" for axis, number in zip(axes, place, strict=True))
    return f"{name}, {where}: expected {expected}, got {found}"
