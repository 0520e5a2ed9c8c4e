"""The front end in C against Python's: bins that are equal, by kind of sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from benchmarks.mcu_programs import Export, front_end_program, rows_on_host
from benchmarks.mcu_sounds import Pcm, esc10, noises, recording, rows_of, silences, speech


def front_end(made: Export, work: Path, *, quick: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures, of the kind of sound that is worst, and all kinds."""
    program, manifest = front_end_program(made, work), load_manifest(DEFAULT_MODEL)
    clips = esc10()[:: 100 if quick else 1]
    kinds: dict[str, list[Pcm]] = {
        "noise": noises(2.0 if quick else 8.0),
        "speech": [recording(path) for path in speech()],
        "esc10": [recording(path) for path in clips],
        "silence": silences(8.0),
    }
    told = {}
    for kind, sounds in kinds.items():
        bins = unequal = most = 0
        for pcm in sounds:
            whole = pcm[: len(pcm) // manifest.spec.hop_length * manifest.spec.hop_length]
            found = rows_on_host(program, whole, made.mels).astype(int)
            apart = np.abs(found - rows_of(whole, manifest))
            bins, unequal = bins + apart.size, unequal + int(np.count_nonzero(apart))
            most = max(most, int(apart.max()))
        told[kind] = {"bins": bins, "unequal": unequal, "max_abs_diff": most}
    measured = made.report["measured"]
    figures = {
        "instructions_per_frame": measured["front_end_instructions_per_frame"],
        "equal_bins": min(1 - part["unequal"] / part["bins"] for part in told.values()),
        "max_abs_diff": max(part["max_abs_diff"] for part in told.values()),
    }
    return figures, {"kinds": told, "level_instructions_per_frame": measured["level_instructions_per_frame"]}
