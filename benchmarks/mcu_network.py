"""The network in its three modes: bytes that differ from what they must be, and instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from benchmarks.mcu_programs import Export, OnCore, network_sources, on_host, scores_on_core, scores_on_host
from benchmarks.mcu_reference import KERNELS, REFERENCE, Kernels
from benchmarks.mcu_sounds import Rows, patches, rows_of, stream
from benchmarks.outcome import UnavailableError
from model_tools.export import network_c
from model_tools.export.graph import read_network
from model_tools.export.plan import plan
from model_tools.export.reference import walk
from model_tools.export.toolchain import CORES, arm_object_sizes
from model_tools.export.trace import tensors_of

MAIN_CORE = "m33"
PATCHES, PATCHES_ON_CORES, STREAM_S = 2_000, 56, 60.2


@dataclass(frozen=True)
class Found:
    """Figures for the record, and details beside them."""

    figures: dict[str, Any]
    details: dict[str, Any]


def differing(found: Rows, expected: Rows) -> int:
    """Return how many bytes differ; all that are expected where there are more or fewer."""
    return int(np.count_nonzero(found != expected)) if found.shape == expected.shape else expected.size


def patch_mode(made: Export, work: Path, *, quick: bool) -> Found:
    """Compare patches with TFLite's reference kernels, here and on the cores."""
    manifest = load_manifest(DEFAULT_MODEL)
    model = DEFAULT_MODEL.read_bytes()
    kinds = patches(manifest, 40 if quick else PATCHES)
    chosen = np.concatenate([*kinds.values()])
    expected = Kernels(model, REFERENCE).scores(chosen)
    program = on_host(network_sources(made.source), [made.source], "network_host.c", work / "host")
    found = scores_on_host(program, _joined(chosen), made.classes)
    apart = differing(found, expected)
    on_cores, places = {}, _spread(kinds, 6 if quick else PATCHES_ON_CORES)
    for name, core in CORES.items():
        on_cores[name] = scores_on_core(made, core, _joined(chosen[places]), work / name)
        apart += differing(on_cores[name].scores, expected[places])
    sizes = arm_object_sizes(work / MAIN_CORE / "network.elf")
    parts = [sizes[name] for name in (*network_c.SOURCES, "aed_weights.c") if name in sizes]
    measured, flash = made.report["measured"], made.report["flash"]
    figures = {
        "instructions": {name: round(core.instructions / len(places)) for name, core in on_cores.items()},
        "ram_bytes": on_cores[MAIN_CORE].state_bytes,
        "code_bytes": sum(part["text"] for part in parts),
        "weights_bytes": flash["weights_bytes"],
        "constants_bytes": sum(part["rodata"] + part["data"] for part in parts),
        "step_instructions_max": max(measured["step_instructions_max"], on_cores[MAIN_CORE].step_most),
        "stack_bytes": measured["stack_bytes"],
        "differing_bytes": apart,
        "host_patches": len(chosen),
        "qemu_patches": len(places),
    }
    return Found(
        figures,
        {
            "reference": REFERENCE,
            "patches": {kind: len(some) for kind, some in kinds.items()},
            "distinct_scores": len(np.unique(expected, axis=0)),
            "other_kernels": _others(model, chosen[:: 20 if quick else 1], expected[:: 20 if quick else 1]),
        },
    )


def _others(model: bytes, chosen: Rows, expected: Rows) -> dict[str, Any]:
    """Return how far TFLite's other kernels are from the reference."""
    told: dict[str, Any] = {}
    for name in KERNELS:
        if name != REFERENCE:
            try:
                found = Kernels(model, name).scores(chosen)
            except UnavailableError as error:
                told[name] = str(error)
                continue
            apart = np.abs(found.astype(int) - expected)
            told[name] = {"differing_bytes": int(np.count_nonzero(apart)), "most": int(apart.max())}
    return told


def _joined(chosen: Rows) -> Rows:
    return chosen.reshape(-1, chosen.shape[-1])


def _spread(kinds: dict[str, Rows], count: int) -> list[int]:
    """Return places of patches of every kind, as many of each."""
    places, begin = [], 0
    for some in kinds.values():
        places += [begin + int(at) for at in np.linspace(0, len(some) - 1, max(1, count // len(kinds)))]
        begin += len(some)
    return places


def rows_of_stream(*, quick: bool) -> Rows:
    """Return the rows of a minute of ESC-10, a number of them that all strides divide."""
    rows = rows_of(stream(5.0 if quick else STREAM_S), load_manifest(DEFAULT_MODEL))
    return rows[: len(rows) // 16 * 16]


def incremental(made: Export, alone: Export, rows: Rows, work: Path, *, of_patch: int) -> Found:
    """Compare the windows of a stream with the same windows alone.

    Parameters
    ----------
    made, alone : Export
        Of incremental mode and of patch mode.
    rows : ndarray, int8 (t, n_mels)
        The stream.
    of_patch : int
        Instructions of a patch in patch mode on the main core.
    """
    frames = plan(read_network(DEFAULT_MODEL.read_bytes())).network.input.rows
    begins = range(0, len(rows) - frames + 1, made.hop_frames)
    windows = np.concatenate([rows[at : at + frames] for at in begins])
    program = on_host(network_sources(alone.source), [alone.source], "network_host.c", work / "alone")
    expected = scores_on_host(program, windows, alone.classes)
    program = on_host(network_sources(made.source), [made.source], "network_host.c", work / "host")
    apart = differing(scores_on_host(program, rows, made.classes), expected)
    core = scores_on_core(made, CORES[MAIN_CORE], rows, work / MAIN_CORE)
    apart += differing(core.scores, expected)
    per_window = core.instructions / len(begins)
    figures = {
        "hop_frames": made.hop_frames,
        "instructions": round(per_window),
        "ratio": round(per_window / of_patch, 4),
        "differing_bytes": apart,
        "ram_bytes": core.state_bytes,
    }
    return Found(figures, {"windows": len(begins), "step_instructions_max": core.step_most})


def streamed(made: Export, rows: Rows, work: Path) -> Found:
    """Compare a stream with the same int8 network over one long input: NumPy's, which is TFLite's."""
    data = DEFAULT_MODEL.read_bytes()
    network = read_network(data)
    outcome = walk(plan(network, "stream"), rows)
    program = on_host(network_sources(made.source), [made.source], "network_host.c", work / "host")
    apart = differing(scores_on_host(program, rows, made.classes), outcome.scores)
    core = scores_on_core(made, CORES[MAIN_CORE], rows, work / MAIN_CORE)
    apart += differing(core.scores, outcome.scores)
    figures = {
        "instructions_per_audio_s": _per_audio_s(core, rows),
        "ram_bytes": core.state_bytes,
    }
    details = {
        "differing_bytes": apart,
        "decisions": len(outcome.scores),
        "differing_bytes_of_layers_from_tflite": _from_tflite(data, rows, outcome.planes),
        "step_instructions_max": core.step_most,
    }
    return Found(figures, details)


def _per_audio_s(core: OnCore, rows: Rows) -> int:
    frames_per_s = load_manifest(DEFAULT_MODEL).spec.frames_per_second
    return round(core.instructions / len(rows) * frames_per_s)


def _from_tflite(model: bytes, rows: Rows, planes: Any) -> int:
    """Return how many bytes of all layers differ, but for the rows that see the end of a long input."""
    wanted = tensors_of(model, read_network(model))
    theirs = Kernels(model, REFERENCE, len(rows)).tensors(rows, wanted)
    return sum(differing(theirs[name][: len(ours)], ours) for name, ours in planes.items())
