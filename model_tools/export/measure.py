"""An export in the emulator: whether the known answers come, and what it takes in instructions and stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.export.footprint import VERIFICATION
from model_tools.export.toolchain import Core, arm_program, run

_TIMEOUT_S = 600.0

PARTS = ("", "front end", "network", "scores", "events")
_FIELDS = (
    "type", "label", "track", "start_frame", "end_frame", "score", "score_max", "rms_cdb", "peak_cdb",
    "floor_cdb", "clipped", "reason",
)  # fmt: skip
"""Of events, in the order of `aed_selftest.c`."""


@dataclass(frozen=True)
class Measured:
    """What a core takes; instructions are the emulator's, not cycles.

    Attributes
    ----------
    difference : str
        The first one from the known answers, "" if there is none.
    state_bytes, stack_bytes : int
        Of the state, and the most that aed_push_pcm, aed_step and aed_poll used of the stack.
    step_instructions, push_instructions : int
        The most that one aed_step took, and aed_push_pcm with 10 ms.
    dc_instructions, front_end_instructions, level_instructions : int
        The most that 10 ms took in the DC blocker, a row, and a level.
    stage_instructions : sequence of int
        Of each stage of the network and the scores, for a decision.
    """

    difference: str
    state_bytes: int
    stack_bytes: int
    step_instructions: int
    push_instructions: int
    dc_instructions: int
    front_end_instructions: int
    level_instructions: int
    stage_instructions: Sequence[int]

    def as_dict(self) -> dict[str, Any]:
        """Return it for a report."""
        return {
            "difference": self.difference,
            "network_instructions": self.network_instructions,
            "stage_instructions": list(self.stage_instructions),
            "dc_instructions_per_frame": self.dc_instructions,
            "front_end_instructions_per_frame": self.front_end_instructions,
            "level_instructions_per_frame": self.level_instructions,
            "step_instructions_max": self.step_instructions,
            "push_instructions_max": self.push_instructions,
            "state_bytes": self.state_bytes,
            "stack_bytes": self.stack_bytes,
        }

    @property
    def network_instructions(self) -> int:
        """Of the network, for a decision."""
        return sum(self.stage_instructions)


def measured(source: Path, core: Core, work: Path) -> Measured:
    """Compile an export for a core and run it in the emulator.

    Parameters
    ----------
    source : Path
        Folder of its C.
    work : Path
        Folder for what is built.

    Raises
    ------
    MissingToolError
        Without the cross compiler or the emulator.
    AedError
        If the compiler complains, or the program does not end.
    """
    sources = [*sorted(source.glob("*.c")), VERIFICATION / "measure.c"]
    elf = arm_program(core, sources, work / f"{core.name}-measure.elf", includes=[source])
    done = run(core, elf, timeout_s=_TIMEOUT_S)
    found = numbers(done.text)
    if "found" not in found:
        raise AedError(f"the self-test has not ended on {core.machine}", got=done.text.strip()[-200:])
    stages = [value for name, value in sorted(found.items()) if name.startswith("stage_")]
    return Measured(
        difference=told(found),
        state_bytes=found["state"],
        stack_bytes=found["stack"],
        step_instructions=found["step_most"],
        push_instructions=found["push_most"],
        dc_instructions=found["dc_most"],
        front_end_instructions=found["front_end_most"],
        level_instructions=found["level_most"],
        stage_instructions=[value // found["decisions"] for value in stages],
    )


def numbers(text: str) -> Mapping[str, int]:
    """Return what a program has printed, a name and a number in each line."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}


def told(found: Mapping[str, int]) -> str:
    """Return the difference that the self-test found, in words."""
    part = PARTS[found["part"]]
    if not part:
        return ""
    place, detail = found["place"], found["detail"]
    match part:
        case "network":
            return f"{part}: stage {place}, its rows differ"
        case "front end":
            where = f"row {place}, band {detail}"
        case "scores":
            where = f"decision {place}, class {detail}"
        case _:
            where = f"event {place}, {_FIELDS[detail]}"
    return f"{part}: {where}: expected {_signed(found['expected'])}, got {_signed(found['found'])}"


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
