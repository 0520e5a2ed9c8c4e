from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export.rules_c import tracker_rules
from model_tools.export.toolchain import CORES, arm_program, host_program, run
from tests.golden.tracker.make import CASES
from tests.model_tools.export.compilers import need_emulator
from tests.model_tools.export.tracker_cases import NEAR_THE_WRAP, RULES, golden, recorded
from tests.model_tools.export.tracker_script import ROW, Rows, TrackerLibrary, coded, play, read, written


def played(program: list[str], folder: Path, code: list[int]) -> Rows:
    coded(code).tofile(folder / "in")
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return np.fromfile(folder / "out", np.int32).reshape(-1, ROW)


@pytest.mark.parametrize("name", RULES)
def test_without_undefined_behaviour_or_wrong_addresses(
    tracker_library: TrackerLibrary, name: str, tmp_path: Path
) -> None:
    rules = RULES[name]
    sources, includes = written(rules, tmp_path)
    main = Path(__file__).with_name("play_main.c")
    program = host_program([*sources, main], tmp_path / "play", includes=includes, sanitize=True)
    scripts = [recorded(rules), *([golden(name, NEAR_THE_WRAP)] if name in CASES else [])]
    for script in scripts:
        assert np.array_equal(
            played([str(program)], tmp_path, script.code), play(tracker_library(rules), script.code)
        )


@pytest.mark.parametrize("core", CORES)
def test_cores_give_the_same_bytes(tracker_library: TrackerLibrary, core: str, tmp_path: Path) -> None:
    need_emulator()
    rules = RULES["nervous"]
    sources, includes = written(rules, tmp_path)
    main = Path(__file__).with_name("play_main.c")
    elf = arm_program(
        CORES[core], [*sources, main], tmp_path / "play.elf", includes=includes, defines=["AED_EMULATED"]
    )
    script = recorded(rules)
    coded(script.code).tofile(tmp_path / "in")
    assert run(CORES[core], elf, folder=tmp_path) == (0, "")
    rows = np.fromfile(tmp_path / "out", np.int32).reshape(-1, ROW)
    assert np.array_equal(rows, play(tracker_library(rules), script.code))
    assert read(rows, rules) == script.expected


AS_SHIPPED = DetectionConfig()
ALL_AT_ONCE = DetectionConfig.model_validate({"defaults": {"smoothing_s": 0.0, "threshold_on": 0.5}})


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("config", [AS_SHIPPED, ALL_AT_ONCE], ids=["as shipped", "all at once"])
def test_cost_of_the_default_model(core: str, config: DetectionConfig, tmp_path: Path) -> None:
    need_emulator()
    sources, includes = written(tracker_rules(config, load_manifest(DEFAULT_MODEL)), tmp_path)
    main = Path(__file__).with_name("cost_of_tracker.c")
    elf = arm_program(CORES[core], [*sources[:-1], main], tmp_path / "cost.elf", includes=includes)
    done = run(CORES[core], elf)
    assert done.returncode == 0
    cost = {name: int(value) for name, value in (line.split() for line in done.text.splitlines())}
    bounds = {
        "state_bytes": 3_000, "level": 2_400, "push": 400, "gate": 1_500, "quiet_hop": 1_200,
        "busiest_hop": 300_000, "stack_bytes": 400,
    }  # fmt: skip
    assert cost.keys() == bounds.keys()
    assert {name: value for name, value in cost.items() if not 0 < value <= bounds[name]} == {}
