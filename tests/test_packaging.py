"""What the distribution holds is what the source holds."""

from __future__ import annotations

import re
import subprocess
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


def test_the_debian_package_starts_what_the_unit_names() -> None:
    """The build puts other places into the unit: each must be there to be replaced."""
    unit = (ROOT / "systemd" / "aed-daemon.service").read_text(encoding="utf-8")
    build = (DEBIAN / "build.sh").read_text(encoding="utf-8")
    replaced = re.findall(r"s\|(/opt/aed/[^|]*)\|", build)
    assert len(replaced) == 2
    for place in replaced:
        unit = unit.replace(place, "")
    assert "/opt/aed" not in unit
