"""The commands of docs/history.md and docs/tuning.md, each of them, with a history of three weeks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.history.parts import START_TS, end_of, event, hour, written
from tests.test_pages import ROOT, blocks

ID_IN_DOCS, AT_IN_DOCS = "7PJ2W9QK", "21:40"
DAYS = 21


def lines(page: str) -> list[str]:
    """Return the page's commands, a line each."""
    text = "".join(block.text for block in blocks(ROOT / "docs" / f"{page}.md"))
    return [line.partition("  #")[0].strip() for line in text.splitlines()]


class House:
    """A folder in which a daemon has listened for three weeks and heard one dog."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.config = folder / "aed.toml"
        self.config.write_text('# kept\n[[source]]\nname = "porch"\ntype = "demo"\n')
        now_ts = int(time.time())
        heard = range(now_ts // 3_600 * 3_600 - DAYS * 86_400, now_ts - 3_600, 3_600)
        hours = [hour(hour_ts=ts, class_=class_) for ts in heard for class_ in ("dog", "rain")]
        dog = end_of(event(now_ts - 300.0 - START_TS))
        self.id = dog.id
        (folder / "state").mkdir()
        written(folder / "state" / "history.db", hours=hours, events=[dog])

    def run(self, line: str) -> str:
        """Run a command as somebody at a terminal who agrees; return what it printed."""
        command = line.replace(ID_IN_DOCS, self.id[-8:]).replace(AT_IN_DOCS, time.strftime("%H:%M"))
        where = {"STATE_DIRECTORY": str(self._folder / "state"), "AED_CONFIG": str(self.config)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["script", "--quiet", "--return", "--command", f"bash -euc {shlex.quote(command)}", "/dev/null"],
            cwd=self._folder, env={**os.environ, **where, "PATH": path, "PYTHONPATH": str(ROOT)},
            input="y\n", capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.parametrize(("page", "least"), [("history", 9), ("tuning", 3)])
def test_the_commands_of_a_page_work(page: str, least: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    said = {line: house.run(line) for line in lines(page)}
    assert len(said) >= least
    if page == "history":
        assert house.id[-8:] in said["aed-daemon events --since 12h"]
        assert (tmp_path / "week.csv").read_text().count("\n") == 2
    else:
        assert "<svg" in (tmp_path / "dog.html").read_text()
        assert house.config.read_text().startswith("# kept\n")
        assert "threshold_on" in house.config.read_text()
