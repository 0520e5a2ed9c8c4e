"""The reference page is the one that the models give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from aed_daemon.config_reference import main, reference
from aed_daemon.config_schema import keys_of, sections

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m aed_daemon.config_reference docs/configuration.md"
    )


def test_every_key_is_described() -> None:
    for path, model in sections():
        assert model.__doc__, path
        for key in keys_of(model).values():
            assert key.description.endswith("."), (path, key.name)
            assert f"`{key.name}`" in reference()


def test_the_page_can_be_written(tmp_path: Path) -> None:
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == reference()
    done = subprocess.run(
        [sys.executable, "-m", "aed_daemon.config_reference"], check=True, capture_output=True, text=True
    )
    assert done.stdout == reference()
