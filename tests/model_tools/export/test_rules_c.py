from __future__ import annotations

import ctypes
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import ConfigError, ModelError
from aed_daemon.manifest import ModelManifest
from aed_daemon.rules import class_rules
from model_tools.export.rules_c import TrackerRules, rules_files, tracker_rules
from model_tools.export.toolchain import host_library
from tests.manifests import a_manifest, manifest_values
from tests.model_tools.export.compilers import need, need_host
from tests.model_tools.export.tracker_script import CSRC, written


def defines(rules: TrackerRules) -> dict[str, int]:
    found = re.findall(r"^#define AED_(\w+) \(?(-?\w+)\)?$", rules_files(rules)["aed_rules.h"], re.M)
    return {name: int(value.rstrip("u"), 0) for name, value in found}


def config(**values: Any) -> DetectionConfig:
    return DetectionConfig.model_validate(values)


def labelled(label: str) -> ModelManifest:
    values = manifest_values()
    values["labels"][0]["label"] = label
    return ModelManifest.model_validate_json(json.dumps(values))


def test_constants_are_the_configurations() -> None:
    said = config(
        hop_frames=12, update_s=2.0, gate={"open_dbfs": -50.0, "close_dbfs": -55.5}, loud_sound={"snr_db": 15}
    )
    found = defines(tracker_rules(said, a_manifest()))
    assert (found["HOP_FRAMES"], found["UPDATE_FRAMES"]) == (12, 200)
    assert (found["WINDOW_FRAMES"], found["HISTORY_FRAMES"], found["LEVEL_SAMPLES"]) == (97, 288, 160)
    assert (found["GATE_OPEN_CDB"], found["GATE_CLOSE_CDB"]) == (-5_000, -5_550)
    assert (found["OUTPUTS"], found["FOLLOWED"], found["ZERO_POINT"]) == (3, 2, -128)
    assert found["SPEC_ID"] == int(a_manifest().spec_id[:8], 16)
    assert (found["LOUD_ENABLED"], found["LOUD_SNR_CDB"]) == (1, 1_500)


def test_every_number_of_a_class_is_in_its_row() -> None:
    said = config(
        defaults={
            "min_duration_s": 0.3,
            "cooldown_s": 4,
            "end_after_s": 2,
            "smoothing_s": 0.72,
            "confirm_s": 1,
        }
    )
    dog, rain = class_rules(said, a_manifest())
    rows = re.findall(
        r"^    \{([-\d, ]+)\},$", rules_files(tracker_rules(said, a_manifest()))["aed_rules.c"], re.M
    )
    assert [list(map(int, row.split(", "))) for row in rows] == [
        [30, 400, 200, dog.on_steps, dog.off_steps, 3, 1, 0, 0],
        [30, 400, 200, rain.on_steps, rain.off_steps, 3, 6, 3, 1],
    ]


@pytest.mark.parametrize("label", ["Dog", 'He said "wow?\x3f/" \\', "Säge 犬", "5*/0"])
def test_names_come_through(tmp_path: Path, label: str) -> None:
    need_host()
    sources, includes = written(tracker_rules(config(), labelled(label)), tmp_path)
    names = (ctypes.c_char_p * 4).in_dll(
        ctypes.CDLL(str(host_library(sources, tmp_path / "t.so", includes=includes))), "aed_labels"
    )
    assert [name.decode() for name in names if name] == [label, "Rain", "Background", "Loud sound"]


@pytest.mark.parametrize(
    "said",
    [
        config(loud_sound={"enabled": False}, gate={"enabled": False}),
        config(hop_frames=1, defaults={"smoothing_s": 60.0, "confirm_s": 60.0, "mode": "confirm"}),
        config(hop_frames=96, classes={"dog": {"enabled": False}}),
    ],
)
def test_what_the_configuration_allows_compiles(tmp_path: Path, said: DetectionConfig) -> None:
    need_host()
    sources, includes = written(tracker_rules(said, a_manifest()), tmp_path)
    host_library(sources, tmp_path / "t.so", includes=includes)


def test_a_model_of_other_features_is_refused_by_the_compiler(tmp_path: Path) -> None:
    need_host()
    sources, includes = written(tracker_rules(config(), a_manifest()), tmp_path)
    with pytest.raises(Exception, match="different features"):
        host_library(sources, tmp_path / "t.so", includes=includes, defines=["AED_SPEC_ID=1u"])


def test_headers_are_cplusplus_too(tmp_path: Path) -> None:
    need("g++")
    written(tracker_rules(config(), a_manifest()), tmp_path)
    (tmp_path / "use.cpp").write_text('#include "aed_tracker.h"\naed_tracker tracker;\n')
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    command = ["g++", *flags, f"-I{CSRC}", f"-I{tmp_path}", str(tmp_path / "use.cpp")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_no_class_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="every class is disabled"):
        tracker_rules(config(defaults={"enabled": False}), a_manifest())


def test_a_hop_that_levels_cannot_hold_is_refused() -> None:
    values = manifest_values()
    features = {**values["features"], "n_fft": 1_024, "hop_length": 1_000}
    manifest = a_manifest().model_copy(update={"features": features})
    with pytest.raises(ModelError, match="too long for levels in C: expected at most 204 samples, got 1000"):
        tracker_rules(config(), manifest)


def test_two_exports_are_the_same_bytes() -> None:
    first, again = (rules_files(tracker_rules(config(), a_manifest())) for _ in range(2))
    assert first == again
    for text in first.values():
        assert a_manifest().sha256 in text.splitlines()[0]
