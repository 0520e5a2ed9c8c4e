"""What the exported C takes on a microcontroller, and whether it computes what it must: `make mcu`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aed_daemon.manifest import BACKGROUND, DEFAULT_MODEL, load_manifest
from benchmarks.mcu_accuracy import accuracy
from benchmarks.mcu_events import events
from benchmarks.mcu_front_end import front_end
from benchmarks.mcu_network import MAIN_CORE, Found, incremental, patch_mode, rows_of_stream, streamed
from benchmarks.mcu_programs import Export, exported
from benchmarks.outcome import Limit, Outcome, Row
from model_tools.export.plan import Mode

HOPS: dict[Mode, int] = {"patch": 24, "incremental": 8, "stream": 8}
RAM_LIMITS: dict[Mode, int] = {"patch": 48_000, "incremental": 84_000, "stream": 48_000}

BESIDE = {
    "instructions": "TFLM with CMSIS-NN 60.36 M",
    "ram": "ST 112,128 B, TFLM 161,716 B",
    "code": "ST 53.9 kB, TFLM 55.0 kB",
    "constants": "ST 139,176 B, TFLM 185,144 B",
}
"""The design notes' figures of the peers (shared/design/mcu.md)."""


def run(*, quick: bool) -> Outcome:
    """Measure it: some minutes, most of them in the emulator."""
    with TemporaryDirectory(prefix="aed-mcu-") as name:
        work = Path(name)
        made = {mode: _exported(mode, work / f"export-{mode}") for mode in HOPS}
        again = _contents(_exported("patch", work / "again")) ^ _contents(made["patch"])
        _tell("patches")
        patch = patch_mode(made["patch"], work / "patch", quick=quick)
        rows = rows_of_stream(quick=quick)
        of_patch = patch.figures["instructions"][MAIN_CORE]
        _tell("windows of a minute")
        windows = incremental(made["incremental"], made["patch"], rows, work / "windows", of_patch=of_patch)
        _tell("a minute as a stream")
        stream = streamed(made["stream"], rows, work / "stream")
        _tell("accuracy on ESC-10")
        clips = accuracy(work / "accuracy", quick=quick)
        stream.figures["clip_accuracy"] = clips["stream"]["clip_accuracy"]
        _tell("front end")
        frames, kinds = front_end(made["patch"], work / "front_end", quick=quick)
        _tell("events")
        heard = events(made["patch"], MAIN_CORE, work, quick=quick)
    systems = {mode: _system(export) for mode, export in made.items()}
    figures = {
        "patch": patch.figures,
        "incremental": windows.figures,
        "stream": stream.figures,
        "front_end": frames,
        "system": {"mode": "patch", **systems["patch"], "modes": systems},
    }
    details = {
        "instructions": "of the emulator; they are not cycles",
        "model_sha256": load_manifest(DEFAULT_MODEL).sha256,
        "differing_files_of_two_exports": len(again),
        "patch": patch.details,
        "incremental": windows.details,
        "stream": {**stream.details, "accuracy": clips},
        "front_end": kinds,
        "events": heard,
    }
    table = [*_patch_rows(patch), *_other_rows(windows, stream, clips), *_rows(frames, systems, heard)]
    table.append(Row("two exports: files that differ", len(again), "", "", Limit(0)))
    return Outcome(figures, details, table)


def _exported(mode: Mode, folder: Path) -> Export:
    _tell(f"export, {mode} mode")
    return exported(mode, HOPS[mode], folder)


def _contents(made: Export) -> set[tuple[str, bytes]]:
    """Return names and contents of an export's files."""
    files = (path for path in made.folder.rglob("*") if path.is_file())
    return {(path.relative_to(made.folder).as_posix(), path.read_bytes()) for path in files}


def _tell(what: str) -> None:
    print(f"mcu: {what} ...", file=sys.stderr, flush=True)


def _system(made: Export) -> dict[str, Any]:
    return {
        "hop_frames": made.hop_frames,
        "ram_bytes": made.report["ram"]["total_bytes"],
        "flash_bytes": made.report["flash"]["total_bytes"],
    }


def _patch_rows(found: Found) -> list[Row]:
    figures = found.figures
    patches = f"of {figures['host_patches']:,} patches here and {figures['qemu_patches']} on each core"
    classes = load_manifest(DEFAULT_MODEL).slugs
    weights = 139_176 + (260 if BACKGROUND in classes else 0)
    millions = {core: count / 1e6 for core, count in figures["instructions"].items()}
    return [
        Row("patch: differing bytes", figures["differing_bytes"], "B", patches, Limit(0)),
        Row("  patches here", figures["host_patches"], "", "", Limit(2_000, at_least=True)),
        Row("  patches on each core", figures["qemu_patches"], "", "", Limit(50, at_least=True)),
        *(
            Row(f"  instructions, {core}", value, "M", BESIDE["instructions"], Limit(27.0))
            for core, value in millions.items()
        ),
        Row("  RAM of the network", figures["ram_bytes"], "B", BESIDE["ram"], Limit(33_000)),
        Row("  code of the network", figures["code_bytes"], "B", BESIDE["code"], Limit(12_000)),
        Row("  weights and biases", figures["weights_bytes"], "B", "", Limit(weights)),
        Row("  constants", figures["constants_bytes"], "B", BESIDE["constants"], Limit(148_000)),
        Row("  aed_step at most", figures["step_instructions_max"], "instructions"),
        Row("  stack", figures["stack_bytes"], "B"),
    ]


def _other_rows(windows: Found, stream: Found, clips: dict[str, Any]) -> list[Row]:
    one, other = windows.figures, stream.figures
    count = f"of {windows.details['windows']:,} windows"
    accuracy_told = f"in patches {clips['patch']['clip_accuracy']:.4g}, {clips['stream']['clips']} clips"
    layers = stream.details["differing_bytes_of_layers_from_tflite"]
    return [
        Row("incremental: differing bytes", one["differing_bytes"], "B", count, Limit(0)),
        Row("  instructions of a window", one["instructions"] / 1e6, "M"),
        Row("  share of a patch's", one["ratio"], "", "", Limit(0.4)),
        Row("  RAM of the network", one["ram_bytes"], "B"),
        Row("stream: differing bytes", stream.details["differing_bytes"], "B", "", Limit(0)),
        Row("  of the layers, from TFLite", layers, "B", "", Limit(0)),
        Row("  instructions of 1 s", other["instructions_per_audio_s"] / 1e6, "M", "", Limit(30.0)),
        Row("  RAM of the network", other["ram_bytes"], "B", "", Limit(33_000)),
        Row("  clip accuracy", other["clip_accuracy"], "", accuracy_told),
    ]


def _rows(frames: dict[str, Any], systems: dict[Mode, dict[str, Any]], heard: dict[str, Any]) -> list[Row]:
    return [
        Row("front end: equal bins", frames["equal_bins"], "", "", Limit(0.9999, at_least=True)),
        Row("  largest difference", frames["max_abs_diff"], "steps", "", Limit(1)),
        Row("  instructions of a frame", frames["instructions_per_frame"], "", "", Limit(25_000)),
        *(
            Row(f"system: RAM, {mode}", system["ram_bytes"], "B", "", Limit(RAM_LIMITS[mode]))
            for mode, system in systems.items()
        ),
        *(Row(f"  flash, {mode}", system["flash_bytes"], "B") for mode, system in systems.items()),
        Row("events: clips", heard["clips"], "", f"{heard['events']} events", Limit(20, at_least=True)),
        Row("  the same as replay's", heard["same_clips"], "clips", "", Limit(heard["clips"], at_least=True)),
        Row("  equal to the stages' in all", heard["equal_clips"], "clips"),
    ]
