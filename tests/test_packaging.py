"""What the distribution holds is what the source holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("aed_daemon", "model_tools")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed["packages"]) == found
