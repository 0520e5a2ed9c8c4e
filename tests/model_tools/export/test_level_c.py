from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.level import to_cdb
from model_tools.export.rules_c import level_steps
from model_tools.export.toolchain import host_library
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.tracker_cases import RULES, levels_of, noises
from tests.model_tools.export.tracker_script import Script, TrackerLibrary, play, read, written

PCM = {
    "silence": np.zeros(480, np.int16),
    "one step": np.tile(np.array([1, 0], np.int16), 240),
    "one sample": np.eye(1, 480, 77, np.int16)[0],
    "full scale": np.full(480, -32_768, np.int16),
    "nearly": np.full(480, 32_766, np.int16),
    "extremes": np.tile(np.array([-32_768, 32_767], np.int16), 240),
    "ramp": np.arange(-32_768, 32_768, 13).astype(np.int16)[:4_960],
}


def listened(samples: NDArray[np.int16]) -> Script:
    script = Script(RULES["instant"])
    script.pcm(samples, levels_of(samples))
    return script


@pytest.mark.parametrize("name", PCM)
def test_levels_of_corner_cases(tracker_library: TrackerLibrary, name: str) -> None:
    script = listened(PCM[name])
    assert read(play(tracker_library(RULES["instant"]), script.code), RULES["instant"]) == script.expected


def test_levels_of_noise_and_tones(tracker_library: TrackerLibrary) -> None:
    script = listened(noises())
    found = read(play(tracker_library(RULES["instant"]), script.code), RULES["instant"])
    assert found == script.expected
    levels = [row for row in found if row[0] == "level"]
    assert len(levels) == len(noises()) // 160
    assert {row[3] for row in levels} == {False, True}


def test_every_level_begins_at_the_same_sum_of_squares(tmp_path: Path) -> None:
    """Both are monotonic, so they are equal everywhere if they are on both sides of each edge."""
    need_host()
    _, includes = written(RULES["instant"], tmp_path)
    exposed = tmp_path / "exposed.c"
    exposed.write_text(
        '#include "aed_level.c"\n'
        "void aed_levels(const uint64_t *sums, int16_t *levels, long count);\n"
        "void aed_levels(const uint64_t *sums, int16_t *levels, long count)\n"
        "{\n    for (long i = 0; i < count; ++i) {\n        levels[i] = to_cdb(sums[i]);\n    }\n}\n"
    )
    built = host_library([exposed, tmp_path / "aed_rules.c"], tmp_path / "levels.so", includes=includes)
    coarse, fine = level_steps(160)
    full = 160 * 2**54
    # As near to the edges as they are exact, in integers here and in float64 there.
    edges = np.array([a * b >> 64 for a in coarse for b in fine if a * b >> 64 < 4 * full], np.float64)
    rng = np.random.default_rng(4)
    others = np.rint(np.exp(rng.uniform(0, np.log(4.0 * full), 200_000)))
    sums = np.concatenate(
        [edges * (1 - 4e-15) - 3.0, edges * (1 + 4e-15) + 3.0, others, [0.0, 1.0, full, 2.0**63]]
    )
    sums = np.unique(np.rint(np.maximum(sums, 0.0))).astype(np.uint64)
    found = np.empty(len(sums), np.int16)
    ctypes.CDLL(str(built)).aed_levels(
        sums.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(len(sums))
    )
    assert np.array_equal(found, to_cdb(sums.astype(np.float64) / full))
    assert set(range(-12_000, 602)) <= set(found.tolist())
