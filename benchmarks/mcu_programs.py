"""An export's parts as programs: on this machine, and on emulated cores."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import DEFAULT_MODEL
from benchmarks.mcu_sounds import Pcm, Rows
from benchmarks.outcome import UnavailableError
from model_tools.export import footprint, front_end_c, network_c
from model_tools.export.emit import Order, export
from model_tools.export.footprint import VERIFICATION
from model_tools.export.measure import numbers
from model_tools.export.plan import Mode
from model_tools.export.targets import target_of
from model_tools.export.toolchain import Core, MissingToolError, arm_program, host_program, run

_TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Export:
    """An export of the default model.

    Attributes
    ----------
    folder : Path
        Where it lies.
    report : dict
        Its report.json.
    """

    folder: Path
    report: dict[str, Any]

    @property
    def source(self) -> Path:
        """Folder of its C."""
        return self.folder / "src"

    @property
    def classes(self) -> int:
        """Outputs of the network."""
        return len(self.report["model"]["classes"])

    @property
    def mels(self) -> int:
        """Values of a row."""
        return int(self.report["layers"][0]["input"][1])

    @property
    def hop_frames(self) -> int:
        """From decision to decision."""
        return int(self.report["hop_frames"])


@dataclass(frozen=True)
class OnCore:
    """What a core has made of rows, and took for it: instructions are the emulator's."""

    scores: Rows
    instructions: int
    step_most: int
    stack_bytes: int
    state_bytes: int


def exported(mode: Mode, hop_frames: int, folder: Path) -> Export:
    """Export the default model for the recommended part, whatever its clock says to the mode.

    Raises
    ------
    UnavailableError
        Without the compilers or the emulator.
    """
    target = target_of("stm32u5", {"clock": 1_000_000_000})
    report = export(Order(DEFAULT_MODEL, target, mode, hop_frames, DetectionConfig()), folder)
    for part, said in (("measured", report["measured"]), ("flash", report["flash"]["method"])):
        if isinstance(said, str) and said.startswith(("not measured", "estimated")):
            raise UnavailableError(f"{part}: {said}")
    return Export(folder, report)


def network_sources(source: Path) -> list[Path]:
    """Return what the network alone is made of."""
    return [source / name for name in (*network_c.SOURCES, "aed_weights.c")]


def on_host(sources: list[Path], includes: list[Path], name: str, folder: Path) -> Path:
    """Build a program of `verification/` for this machine."""
    try:
        return host_program(
            [*sources, VERIFICATION / name], folder / Path(name).stem, includes=includes, optimise="-O3"
        )
    except MissingToolError as error:
        raise UnavailableError(str(error)) from None


def scores_on_host(program: Path, rows: Rows, classes: int) -> Rows:
    """Return all scores of rows, int8 (n, classes)."""
    return _through(program, rows).reshape(-1, classes)


def rows_on_host(program: Path, pcm: Pcm, mels: int) -> Rows:
    """Return the rows of samples, int8 (t, mels)."""
    return _through(program, pcm).reshape(-1, mels)


def _through(program: Path, values: Pcm | Rows) -> Rows:
    done = subprocess.run([str(program)], input=values.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.int8)


def front_end_program(made: Export, folder: Path) -> Path:
    """Build the front end for this machine: samples in, rows out."""
    sources = [made.source / name for name in front_end_c.SOURCES]
    return on_host(sources, [made.source], "front_end_host.c", folder)


def scores_on_core(made: Export, core: Core, rows: Rows, folder: Path) -> OnCore:
    """Walk rows on an emulated core."""
    folder.mkdir(parents=True, exist_ok=True)
    elf = arm_program(
        core,
        [*network_sources(made.source), VERIFICATION / "network_core.c"],
        folder / "network.elf",
        includes=[made.source],
    )
    (folder / "rows.bin").write_bytes(rows.tobytes())
    found = _run(core, elf, folder)
    scores = np.frombuffer((folder / "scores.bin").read_bytes(), np.int8).reshape(-1, made.classes)
    total = found["millions"] * 1_000_000 + found["ones"]
    return OnCore(scores, total, found["most"], found["stack"], found["state"])


def events_on_core(made: Export, core: Core, recordings: list[Pcm], folder: Path) -> list[list[int]]:
    """Return the fields of all events of recordings, as `events_core.c` has them."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [p for p in sorted(made.source.glob("*.c")) if p.name not in footprint.SELFTEST_SOURCES]
    elf = arm_program(
        core, [*sources, VERIFICATION / "events_core.c"], folder / "events.elf", includes=[made.source]
    )
    for number, pcm in enumerate(recordings):
        (folder / f"{number:02}.pcm").write_bytes(pcm.tobytes())
    found = _run(core, elf, folder)
    if found["files"] != len(recordings):
        raise UnavailableError(f"{found['files']} of {len(recordings)} recordings were heard")
    events = np.frombuffer((folder / "events.bin").read_bytes(), np.int64).reshape(found["events"], -1)
    return [[int(field) for field in event] for event in events]


def _run(core: Core, elf: Path, folder: Path) -> dict[str, int]:
    done = run(core, elf, folder=folder, timeout_s=_TIMEOUT_S)
    if done.returncode:
        raise UnavailableError(f"{elf.name} on {core.machine} has ended with {done.returncode}: {done.text}")
    return dict(numbers(done.text))
