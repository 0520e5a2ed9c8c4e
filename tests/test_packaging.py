"""What the distribution holds is what the source holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEBIAN = ROOT / "packaging" / "debian"


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("aed_daemon", "model_tools")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed["packages"]) == found


def pins(path: Path) -> dict[str, set[str]]:
    """Return the pinned versions of a requirements file, by name."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)==([\w.]+)", path.read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(version)
    return found


def test_the_debian_package_has_what_was_tested() -> None:
    tested, packed = pins(ROOT / "constraints.txt"), pins(DEBIAN / "requirements.txt")
    assert all(packed[name] <= tested[name] for name in packed)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {re.match(r"[\w-]+", line)[0] for line in wanted} <= set(packed)  # type: ignore[index] # they have names


def test_every_file_in_the_debian_package_is_pinned_by_hash() -> None:
    text = (DEBIAN / "requirements.txt").read_text(encoding="utf-8")
    entries = re.findall(r"(?ms)^[\w.-]+==.*?(?=^\S|\Z)", text)
    assert len(entries) == len(re.findall(r"(?m)^\S", text)) >= 10
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("script", ["build.sh", "postinst", "prerm", "postrm", "try-in-container.sh"])
def test_the_scripts_are_sound(script: str) -> None:
    done = subprocess.run(["sh", "-n", DEBIAN / script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_that_never_records_refuses_every_configuration_that_asks_for_it(tmp_path: Path) -> None:
    package = shutil.copytree(ROOT / "aed_daemon", tmp_path / "aed_daemon")
    config = tmp_path / "aed.toml"
    config.write_text('[[source]]\nname = "a"\ntype = "demo"\n[clips]\nenabled = true\n')
    check = [sys.executable, "-m", "aed_daemon", "check-config", str(config)]

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            check, check=False, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **env}
        )

    assert run(PYTHONPATH=str(tmp_path)).returncode == 0
    for _ in range(2):  # also what is like that already
        subprocess.run(["sh", str(ROOT / "scripts" / "never-record.sh"), str(package)], check=True)
    refused = run(PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2
    assert f"{config}:5" in refused.stderr
    assert "never records" in refused.stderr
    config.write_text('[[source]]\nname = "a"\ntype = "demo"\n')
    assert run(PYTHONPATH=str(tmp_path)).returncode == 0
    assert "never records" in run(PYTHONPATH=str(tmp_path), AED__CLIPS__ENABLED="true").stderr


def test_the_script_fails_where_it_changes_nothing(tmp_path: Path) -> None:
    script = ["sh", str(ROOT / "scripts" / "never-record.sh"), str(tmp_path)]
    assert subprocess.run(script, check=False, capture_output=True).returncode == 1
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "never.py").write_text("NEVER_RECORD = None\n")
    assert subprocess.run(script, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("script", [DEBIAN / "build.sh", ROOT / "systemd" / "install.sh"])
def test_whoever_builds_or_installs_can_ask_for_that(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert re.search(r'\[ -z "\$\{NEVER_RECORD:-\}" \] \|\| sh "\$SOURCE/scripts/never-record\.sh"', text)


def test_the_debian_package_starts_what_the_unit_names() -> None:
    """The build puts other places into the unit: each must be there to be replaced."""
    unit = (ROOT / "systemd" / "aed-daemon.service").read_text(encoding="utf-8")
    build = (DEBIAN / "build.sh").read_text(encoding="utf-8")
    replaced = re.findall(r"s\|(/opt/aed/[^|]*)\|", build)
    assert len(replaced) == 2
    for place in replaced:
        unit = unit.replace(place, "")
    assert "/opt/aed" not in unit
