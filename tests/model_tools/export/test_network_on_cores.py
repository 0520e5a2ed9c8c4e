"""The network on emulated cores: the bytes that the portable kernels give on the host, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export.network_c import SOURCES, network_files
from model_tools.export.plan import Mode, Plan
from model_tools.export.toolchain import CORES, arm_object_sizes, arm_program, host_library, run
from tests.model_tools.export.compilers import need_emulator, need_host
from tests.model_tools.export.made_models import edited, factor_in, narrowed, random_weights
from tests.model_tools.export.networks import HERE, CNetwork, Rows, noise_patches, planned, written

SHIPPED = DEFAULT_MODEL.read_bytes()


class Outcome(NamedTuple):
    """What a core has made of rows: scores, what it printed, and bytes by section of each source."""

    scores: Rows
    figures: dict[str, int]
    sizes: dict[str, dict[str, int]]


def emulated(folder: Path, walk: Plan, rows: Rows, core: str, *defines: str) -> Outcome:
    need_emulator()
    sources, includes = written(folder, walk)
    program = arm_program(
        CORES[core],
        [*sources, HERE / "network_emulated.c"],
        folder / "a.elf",
        includes=includes,
        defines=defines,
    )
    (folder / "rows.bin").write_bytes(rows.tobytes())
    done = run(CORES[core], program, folder=folder)
    assert done.returncode == 0, done.text
    scores = np.frombuffer((folder / "scores.bin").read_bytes(), np.int8)
    figures = {name: int(value) for name, value in (line.split() for line in done.text.splitlines())}
    sizes = {name: dict(parts) for name, parts in arm_object_sizes(program).items()}
    return Outcome(scores.reshape(-1, walk.network.output.channels), figures, sizes)


def on_host(folder: Path, walk: Plan, rows: Rows) -> Rows:
    need_host()
    sources, includes = written(folder, walk)
    sources.append(HERE / "network_driver.c")
    return CNetwork(host_library(sources, folder / "a.so", includes=includes), walk).walk(rows)[0]


@pytest.mark.parametrize("core", CORES)
def test_a_core_gives_the_same_bytes_at_little_cost(tmp_path: Path, core: str) -> None:
    walk, rows = planned(SHIPPED), np.concatenate([*noise_patches(6, 1)])
    found = emulated(tmp_path, walk, rows, core)
    assert np.array_equal(found.scores, on_host(tmp_path, walk, rows))
    code = sum(found.sizes[name]["text"] for name in SOURCES if name in found.sizes)
    constants = sum(
        found.sizes[name]["rodata"] for name in (*SOURCES, "aed_weights.c") if name in found.sizes
    )
    assert found.figures["instructions"] / 6 <= 23_000_000
    assert found.figures["most"] <= 500_000
    assert found.figures["state"] <= 26_000
    assert found.figures["stack"] <= 700
    assert code <= 8_000
    assert constants <= 148_000
    # The kernels in assembly have done it.
    assert "aed_kernels_portable.c" not in {name for name, parts in found.sizes.items() if parts["text"]}


@pytest.mark.parametrize("mode", ["incremental", "stream"])
def test_other_walks_give_the_same_bytes_for_less(
    tmp_path: Path, mode: Literal["incremental", "stream"]
) -> None:
    rows = np.concatenate([*noise_patches(2, 2)])
    walk = planned(SHIPPED, mode, 8)
    found = emulated(tmp_path, walk, rows, "m33")
    assert np.array_equal(found.scores, on_host(tmp_path, walk, rows))
    per_decision = found.figures["instructions"] / (len(rows) / 8)
    assert per_decision <= {"incremental": 9_200_000, "stream": 2_400_000}[mode]
    assert found.figures["state"] <= {"incremental": 62_000, "stream": 33_000}[mode]


def test_other_widths_and_weights_give_the_same_bytes(tmp_path: Path) -> None:
    # 24, 48 and 96 channels: the weights of a sum are no multiple of what is loaded at a time.
    for number, edits in enumerate([(narrowed(0.75, 5),), (random_weights(4, 0.6), narrowed(0.25, 3))]):
        walk, rows = planned(edited(*edits)), np.concatenate([*noise_patches(3, 3)])
        folder = tmp_path / str(number)
        found = emulated(folder, walk, rows, "m33")
        assert np.array_equal(found.scores, on_host(folder, walk, rows))
        assert "aed_pointwise_dsp.c" in {name for name, parts in found.sizes.items() if parts["text"]}


@pytest.mark.parametrize("portable", [False, True])
def test_what_the_kernels_in_assembly_cannot_hold_is_left_to_the_portable_ones(
    tmp_path: Path, *, portable: bool
) -> None:
    # A factor above 1/2 needs no shift, and assembly knows none of 0.
    edits = [narrowed(0.25, 2)] if portable else [narrowed(0.25, 2), factor_in("CONV_2D", 1, 0.7)]
    walk, rows = planned(edited(*edits)), noise_patches(1, 4)[0]
    assert f"#define AED_ROOMY {int(portable)}\n" in network_files(walk, "a test")["aed_weights.h"]
    found = emulated(tmp_path, walk, rows, "m33", *(["AED_PORTABLE"] if portable else []))
    assert np.array_equal(found.scores, on_host(tmp_path, walk, rows))
    assert "aed_pointwise_dsp.c" not in {name for name, parts in found.sizes.items() if parts["text"]}


def modes() -> list[Mode]:
    return ["patch", "incremental", "stream"]


@pytest.mark.parametrize("mode", modes())
def test_the_plan_knows_the_memory(tmp_path: Path, mode: Mode) -> None:
    for number, (model, hop_frames) in enumerate([(SHIPPED, 8), (edited(narrowed(0.75)), 32)]):
        walk = planned(model, mode, hop_frames)
        need_host()
        sources, includes = written(tmp_path / str(number), walk)
        sources.append(HERE / "network_driver.c")
        library = host_library(sources, tmp_path / str(number) / "a.so", includes=includes)
        assert 0 <= CNetwork(library, walk).size - walk.ram_bytes < 80
