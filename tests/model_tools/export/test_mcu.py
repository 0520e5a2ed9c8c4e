"""The measurements of `make mcu`: their record, and what they take for equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from benchmarks.__main__ import OWN_RECORDS
from benchmarks.mcu_events import _same
from benchmarks.mcu_network import differing
from benchmarks.mcu_sounds import patches, silences
from benchmarks.outcome import UnavailableError

CONTRACT: Mapping[str, tuple[str, ...]] = {
    "patch": (
        "instructions", "ram_bytes", "code_bytes", "weights_bytes", "constants_bytes",
        "step_instructions_max", "stack_bytes", "differing_bytes", "host_patches", "qemu_patches",
    ),
    "incremental": ("hop_frames", "instructions", "ratio", "differing_bytes", "ram_bytes"),
    "stream": ("instructions_per_audio_s", "ram_bytes", "clip_accuracy"),
    "front_end": ("instructions_per_frame", "equal_bins", "max_abs_diff"),
    "system": ("mode", "ram_bytes", "flash_bytes"),
}  # fmt: skip
"""What readers of mcu.json rely on."""


def record() -> dict[str, Any]:
    return dict(json.loads(OWN_RECORDS["mcu"].read_text(encoding="utf-8")))


def test_the_record_has_the_figures() -> None:
    found = record()
    for part, keys in CONTRACT.items():
        assert set(keys) <= set(found[part]), part
    assert set(found["patch"]["instructions"]) == {"m33", "m4", "m7"}
    assert found["system"]["mode"] == "patch"
    assert set(found["system"]["modes"]) == {"patch", "incremental", "stream"}


def test_the_figures_are_within_their_limits() -> None:
    found = record()
    patch, windows, stream, front_end = (found[k] for k in ("patch", "incremental", "stream", "front_end"))
    assert patch["differing_bytes"] == windows["differing_bytes"] == 0
    assert patch["host_patches"] >= 2_000
    assert patch["qemu_patches"] >= 50
    assert max(patch["instructions"].values()) <= 24e6
    assert patch["ram_bytes"] <= 26_000
    assert patch["code_bytes"] <= 12_000
    assert patch["constants_bytes"] <= 148_000
    assert windows["hop_frames"] == 8
    assert windows["ratio"] <= 0.4
    assert stream["instructions_per_audio_s"] <= 30e6
    assert stream["ram_bytes"] <= 33_000
    assert front_end["equal_bins"] >= 0.9999
    assert front_end["max_abs_diff"] <= 1
    assert front_end["instructions_per_frame"] <= 25_000
    for mode, system in found["system"]["modes"].items():
        assert system["ram_bytes"] <= (84_000 if mode == "incremental" else 48_000)
    heard = found["details"]["mcu"]["events"]
    assert heard["same_clips"] == heard["clips"] >= 20


def event(**fields: Any) -> dict[str, Any]:
    return {
        "type": "end", "class": "dog", "label": "Dog", "start_sample": 1_600, "end_sample": 4_800,
        "score": 0.5, "score_max": 0.75, "score_mean": 0.625, "reason": None,
    } | fields  # fmt: skip


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"start_sample": 1_760, "end_sample": 4_640}, True),
        ({"start_sample": 1_761}, False),
        ({"end_sample": None}, False),
        ({"score": 0.5078}, True),
        ({"score_max": 0.7618}, False),
        ({"score": None}, False),
        ({"class": "rooster"}, False),
        ({"type": "start"}, False),
        ({"reason": "gap"}, False),
    ],
)
def test_events_are_the_same_as_the_wire_contract_says(change: dict[str, Any], same: bool) -> None:
    assert _same([event(**change)], [event()], 1 / 256) == same


def test_another_number_of_events_is_not_the_same() -> None:
    assert _same([], [], 1 / 256)
    assert not _same([event()], [event(), event()], 1 / 256)


def test_missing_scores_all_differ() -> None:
    scores = np.zeros((3, 4), np.int8)
    assert differing(scores, scores) == 0
    assert differing(scores[:2], scores) == 12
    assert differing(scores + np.eye(3, 4, dtype=np.int8), scores) == 3


@pytest.mark.data
def test_patches_are_of_many_kinds() -> None:
    try:
        kinds = patches(load_manifest(DEFAULT_MODEL), 20)
    except UnavailableError as error:
        pytest.skip(str(error))
    assert set(kinds) == {"esc10", "negatives", "noise", "extremes"}
    for some in kinds.values():
        assert some.dtype == np.int8
        assert some.shape[1:] == (96, 64)
        assert len(np.unique(some.reshape(len(some), -1), axis=0)) > 0.9 * len(some)
    extremes = kinds["extremes"]
    assert {-128, 127} <= {int(patch.min()) for patch in extremes} | {int(patch.max()) for patch in extremes}
    assert not silences(1.0)[0].any()
