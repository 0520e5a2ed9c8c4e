"""Bytes of an export in RAM and flash: measured where there is a compiler, else estimated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from model_tools.export import front_end_c, network_c, rules_c
from model_tools.export.plan import Plan
from model_tools.export.rules_c import TrackerRules
from model_tools.export.toolchain import CORES, Core, arm_object_sizes, arm_program, host_program

VERIFICATION = Path(__file__).parent / "verification"
"""Programs that measure an export; they are no part of it."""

GLUE_SOURCES = ("aed.c", "aed_pcm.c", "aed_dc.c")
SELFTEST_SOURCES = ("aed_selftest.c", "aed_vectors.c")

STACK_BYTES = 1_536
"""Reserved for aed_step and aed_poll; the emulator's high-water mark is a little more than half of it."""

BLOCK_SAMPLES = 160
DMA_BYTES = 2 * 2 * BLOCK_SAMPLES
"""Of the example: two halves of 10 ms."""

_PARTS = {
    "network": (*network_c.SOURCES, "aed_weights.c"),
    "front end": front_end_c.SOURCES,
    "tracker": (*rules_c.SOURCES, "aed_rules.c"),
    "queue and order of calls": GLUE_SOURCES,
}
_LIBRARY = "C library"

_USUAL_CODE = {"network": 6_500, "front end": 2_900, "tracker": 4_300, "queue and order of calls": 1_600}
"""Bytes on a Cortex-M33 with -O2."""

_PCM_SAMPLES = 1_024
_FEW_ROWS = 8


class Buffers(NamedTuple):
    """What `aed_config.h` says: samples, rows of mels and levels that can wait."""

    pcm_samples: int
    rows: int
    levels: int


class Flash(NamedTuple):
    """A part of the program.

    Attributes
    ----------
    name : str
        Which one.
    code, constants : int
        Bytes.
    """

    name: str
    code: int
    constants: int


def buffers(plan: Plan, rules: TrackerRules) -> Buffers:
    """Return the sizes of what waits between the interrupt, the network and the tracker."""
    levels = rules.window_frames + rules.hop_frames + 2
    if plan.mode == "stream":
        levels = rules.window_frames + plan.delay_frames + 2 * rules.hop_frames
    # A whole patch, and what comes until its first rows are in the network.
    rows = _power_of_two(plan.network.input.rows + rules.spec.patch_frames // 4)
    return Buffers(_PCM_SAMPLES, _FEW_ROWS if plan.mode == "stream" else rows, _power_of_two(levels))


def state_sizes(source: Path, work: Path) -> Mapping[str, int] | None:
    """Return the bytes of the state and its parts, as this machine's compiler has them; None without gcc."""
    if shutil.which("gcc") is None:
        return None
    program = host_program([VERIFICATION / "sizes.c"], work / "sizes", includes=[source], optimise="-O0")
    printed = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    return {name: int(size) for name, size in (line.split() for line in printed.splitlines())}


def estimated_state(plan: Plan, rules: TrackerRules, waiting: Buffers) -> Mapping[str, int]:
    """Return about the same without a compiler."""
    counters = 80
    history = 4 * rules.history_frames + rules.history_frames // 8 + counters
    events = 48 * rules.queue_events
    recent = sum(rule.smoothing_hops for rule in rules.classes)
    sizes = {
        "network": plan.ram_bytes + counters,
        "front_end": 2_048 + 1_056 + 8,
        "spectrum": 2_048,
        "tracker": history + events + 80 * len(rules.classes) + recent + counters,
        "history": history,
        "events": events,
        "pcm": 2 * waiting.pcm_samples,
        "rows": waiting.rows * plan.network.input.columns,
        "levels": 6 * waiting.levels,
    }
    whole = ("network", "front_end", "tracker", "pcm", "rows", "levels")
    return {"state": sum(sizes[name] for name in whole) + counters, **sizes}


def flash(source: Path, core: Core, work: Path) -> list[Flash]:
    """Return what the smallest application holds in flash, part by part, as compiled for a core."""
    sources = [path for path in sorted(source.glob("*.c")) if path.name not in SELFTEST_SOURCES]
    elf = arm_program(
        core, [*sources, VERIFICATION / "firmware.c"], work / f"{core.name}-firmware.elf", includes=[source]
    )
    sizes = arm_object_sizes(elf)
    parts = [_part(name, sizes, members) for name, members in _PARTS.items()]
    library = [name for name in sizes if name.endswith(")")]
    return [*parts, _part(_LIBRARY, sizes, library)]


def estimated_flash(plan: Plan) -> list[Flash]:
    """Return about the same without a compiler."""
    channels = (
        sum(len(c.weights.bias) for c in plan.network.convolutions) + plan.network.dense.output.channels
    )
    constants = {"network": plan.weights_bytes + 5 * channels + 1_200, "front end": 5_600, "tracker": 2_000}
    return [Flash(name, code, constants.get(name, 0)) for name, code in _USUAL_CODE.items()]


def reference_core() -> Core:
    """Return the core for which flash is told where a target has none of its own."""
    return CORES["m33"]


def _part(name: str, sizes: Mapping[str, Mapping[str, int]], members: Sequence[str]) -> Flash:
    found = [sizes[member] for member in members if member in sizes]
    code = sum(size["text"] for size in found)
    return Flash(name, code, sum(size["rodata"] + size["data"] for size in found))


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
