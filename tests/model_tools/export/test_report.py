from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export import footprint, memory_map
from model_tools.export.fit import MODES
from model_tools.export.footprint import DMA_BYTES, STACK_BYTES
from model_tools.export.graph import read_network
from model_tools.export.plan import Mode, plan
from model_tools.export.rules_c import tracker_rules
from model_tools.export.toolchain import CORES
from tests.model_tools.export.compilers import need, need_host
from tests.model_tools.export.exports import exported


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    need_host()
    value: Mode = request.param
    return value


def report(mode: Mode) -> dict[str, Any]:
    return dict(json.loads((exported(mode) / "report.json").read_text()))


def test_what_was_exported_is_told(mode: Mode) -> None:
    told, manifest = report(mode), load_manifest(DEFAULT_MODEL)
    assert told["model"]["sha256"] == manifest.sha256
    assert told["model"]["spec_id"] == manifest.spec_id
    assert told["mode"] == mode
    assert told["hop_frames"] == (8 if mode == "stream" else 24)
    assert "BUILTIN_REF" in told["reference"]
    text = (exported(mode) / "report.txt").read_text()
    for part in (manifest.sha256, manifest.spec_id, "BUILTIN_REF", "DMA double buffer", "ST'S RUNTIME"):
        assert part in text


def test_macs_are_those_of_the_shapes(mode: Mode) -> None:
    layers = report(mode)["layers"]
    for layer in layers:
        rows, columns, channels = layer["output"]
        taps = {"conv": 9, "depthwise": 9, "pointwise": layer["input"][2], "logits": layer["input"][2]}
        kind = layer["name"].rpartition("_")[2]
        assert layer["macs"] == rows * columns * channels * taps[kind], layer["name"]
    assert sum(layer["macs"] for layer in layers) == report(mode)["macs_per_patch"] == 23_902_976


def test_ram_is_the_whole_systems(mode: Mode, tmp_path: Path) -> None:
    ram = report(mode)["ram"]
    sizes = footprint.state_sizes(exported(mode) / "src", tmp_path)
    assert sizes
    assert ram["state_bytes"] == sizes["state"]
    assert ram["total_bytes"] == sizes["state"] + DMA_BYTES + STACK_BYTES
    assert ram["total_bytes"] == sum(region["bytes"] for region in ram["regions"])
    assert all(region["bytes"] > 0 for region in ram["regions"])
    of_network = [region["bytes"] for region in ram["regions"] if region["group"] == "network"]
    assert sum(of_network) == ram["network_bytes"] == sizes["network"]
    assert ram["total_bytes"] <= (84_000 if mode == "incremental" else 48_000)


def test_without_a_compiler_ram_is_estimated(mode: Mode) -> None:
    manifest = load_manifest(DEFAULT_MODEL).for_engine(exact=True)
    walk = plan(read_network(DEFAULT_MODEL.read_bytes()), mode)
    detection = DetectionConfig(hop_frames=report(mode)["hop_frames"])
    rules = tracker_rules(detection, manifest)
    estimated = footprint.estimated_state(walk, rules, footprint.buffers(walk, rules))
    assert estimated["state"] == pytest.approx(report(mode)["ram"]["state_bytes"], rel=0.03)
    assert all(region.bytes >= 0 for region in memory_map.ram(walk, estimated))


def test_flash_is_compiled_and_the_estimate_is_near(mode: Mode, tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    parts = {part.name: part for part in footprint.flash(exported(mode) / "src", CORES["m33"], tmp_path)}
    estimated = footprint.estimated_flash(plan(read_network(DEFAULT_MODEL.read_bytes()), mode))
    for guess in estimated:
        assert guess.code == pytest.approx(parts[guess.name].code, rel=0.25)
        assert guess.constants == pytest.approx(parts[guess.name].constants, rel=0.1, abs=50)
    whole = sum(part.code + part.constants for part in parts.values())
    assert report(mode)["flash"]["total_bytes"] == whole
    assert report(mode)["flash"]["weights_bytes"] == 139_436
    assert parts["network"].constants > 139_436


def test_without_a_cross_compiler_flash_is_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model_tools.export.emit import export
    from tests.model_tools.export.exports import order

    need_host()
    found = shutil.which("gcc")
    assert found
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gcc", "as", "ld"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    told = export(order(), tmp_path / "export")
    assert told["flash"]["method"].startswith("estimated: arm-none-eabi-gcc is not installed")
    assert "sizeof" in told["ram"]["method"]


def test_the_picture_shows_each_region_to_scale(mode: Mode) -> None:
    told, picture = report(mode), (exported(mode) / "memory.svg").read_text()
    root = ET.fromstring(picture)  # noqa: S314 -- it is our own
    svg = "{http://www.w3.org/2000/svg}"
    drawn = {
        str(rect.findtext(f"{svg}title")): float(rect.attrib["width"])
        for rect in root.iter(f"{svg}rect")
        if rect.find(f"{svg}title") is not None
    }
    regions = [*told["ram"]["regions"], *told["flash"]["regions"]]
    assert list(drawn) == [f"{region['name']}: {region['bytes']:,}" for region in regions]
    whole = told["ram"]["total_bytes"]
    for region in told["ram"]["regions"]:
        width = drawn[f"{region['name']}: {region['bytes']:,}"]
        assert width == pytest.approx(760 * region["bytes"] / whole, abs=0.02)
    assert sum(drawn.values()) == pytest.approx(2 * 760, abs=0.5)


def test_a_table_adds_up() -> None:
    table = memory_map.table([memory_map.Region("a", "network", 1_000), memory_map.Region("b", "stack", 24)])
    assert table.splitlines()[-1].split() == ["total", "1,024"]


def test_the_known_answers_hold_something(mode: Mode) -> None:
    known = report(mode)["known_answers"]
    assert known["rows"] == 96
    assert known["decisions"] == {"patch": 3, "incremental": 9, "stream": 22}[mode]
    assert "start loud_sound" in known["events"]
    assert any(not event.endswith("loud_sound") for event in known["events"])
    vectors = (exported(mode) / "src" / "aed_vectors.c").stat().st_size
    assert vectors < 60_000
