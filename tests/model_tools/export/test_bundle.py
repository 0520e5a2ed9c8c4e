"""The bundle for a Linux board: complete, the same bytes twice, and it installs itself."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path

import pytest

from aed_daemon import __version__
from aed_daemon.config_file import load_config
from aed_daemon.errors import AedError
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export.bundle import bundle
from model_tools.export.targets import target_of
from model_tools.export.wheel import daemon_wheel
from tests.model_tools.export.exports import contents, order, shell

LINUX = target_of("stm32mp1")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("board") / "bundle"
    bundle(order(LINUX, mode=None), out)
    return out


def test_a_bundle_is_complete(board: Path, tmp_path: Path) -> None:
    wheel = json.loads((board / "report.json").read_text())["daemon"]
    model = ("yamnet256-esc10.tflite", "yamnet256-esc10.json")
    assert {path.name for path in board.iterdir()} == {
        *model, wheel, "aed.toml", "configuration.md", "aed-daemon.service", "credentials.conf", "install.sh",
        "README.md", "report.json",
    }  # fmt: skip
    assert load_manifest(board / model[0]) == load_manifest(DEFAULT_MODEL)
    assert load_config(board / "aed.toml", {}).model.path == Path("/opt/aed/share/models") / model[0]
    again = tmp_path / "again"
    bundle(order(LINUX, mode=None), again)
    assert contents(again) == contents(board)


def test_a_bundles_hop_is_configured(tmp_path: Path) -> None:
    bundle(order(LINUX, mode=None, hop_frames=48), tmp_path / "bundle")
    assert load_config(tmp_path / "bundle" / "aed.toml", {}).detection.hop_frames == 48
    with pytest.raises(AedError, match="--mode: the daemon listens in patches: expected patch, got stream"):
        bundle(order(LINUX, mode="stream"), tmp_path / "other")


def test_the_wheel_is_the_daemon_alone(tmp_path: Path) -> None:
    name, data = daemon_wheel()
    (tmp_path / name).write_bytes(data)
    names = zipfile.ZipFile(tmp_path / name).namelist()
    assert "aed_daemon/detector.py" in names
    assert "aed_daemon/models/yamnet256-esc10.tflite" in names
    assert not [n for n in names if n.startswith("model_tools") or n.endswith((".pyc", ".so"))]
    metadata = zipfile.ZipFile(tmp_path / name).read(f"aed_daemon-{__version__}.dist-info/METADATA").decode()
    assert "Requires-Dist: paho-mqtt>=2.0" in metadata
    assert "extra ==" not in metadata


def test_a_bundle_installs_itself(board: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    env = {"DESTDIR": str(root), "PYTHON": sys.executable, "PIP_ARGS": "--no-deps --no-index"}
    config = root / "etc" / "aed" / "aed.toml"
    shell("sh", board / "install.sh", folder=tmp_path, **env)
    models = root / "opt" / "aed" / "share" / "models"
    assert load_manifest(models / "yamnet256-esc10.tflite").name == "yamnet256-esc10"
    installed = root / "opt" / "aed" / "bin" / "python"
    assert __version__ in shell(installed, "-m", "aed_daemon", "--version", folder=tmp_path)
    script = (root / "opt" / "aed" / "bin" / "aed-daemon").read_text()
    assert script.startswith("#!/opt/aed/bin/python")
    assert load_config(config, {}).model.path
    unit = (root / "etc" / "systemd" / "system" / "aed-daemon.service").read_text()
    assert unit == (board / "aed-daemon.service").read_text()
    for named in re.findall(r"(?m)^Documentation=file://(.*)$", unit):
        assert (root / named.lstrip("/")).exists(), named
