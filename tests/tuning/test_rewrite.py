"""Thresholds go into a configuration without a trace elsewhere, and only where it stays valid."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from aed_daemon.config_file import load_config
from aed_daemon.errors import ConfigError
from aed_daemon.tuning.rewrite import rewritten, write
from tests.sinks.disks import small_disk

EXAMPLE = Path(__file__).parents[2] / "systemd" / "aed.toml"

PLAIN = """\
# my house
node = "hall"   # its name

[detection.classes.dog]   # barks
threshold_on = 0.5 # as it came
enabled = true

[[source]]
name = "demo"
type = "demo"
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "aed.toml"
    path.write_text(text, newline="")
    return path


def changed(before: str, after: str) -> list[str]:
    kept = before.splitlines()
    return [line for line in after.splitlines() if line not in kept]


def test_comments_and_order_stay(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN)
    write(rewritten(path, {"dog": 0.625}))
    assert path.read_text() == PLAIN.replace("threshold_on = 0.5 ", "threshold_on = 0.625 ")


def test_a_class_that_was_not_there_comes(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN)
    write(rewritten(path, {"rain": 0.7, "dog": 0.6}))
    classes = load_config(path, {}).detection.classes
    assert {slug: own.threshold_on for slug, own in classes.items()} == {"dog": 0.6, "rain": 0.7}
    assert set(changed(PLAIN, path.read_text())) == {
        "[detection.classes.rain]", "threshold_on = 0.7", "threshold_on = 0.6 # as it came"
    }  # fmt: skip


def test_the_example_keeps_every_comment(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    path = file(tmp_path, text)
    write(rewritten(path, {"dog": 0.6}))
    assert changed(text, path.read_text()) == ["[detection.classes.dog]", "threshold_on = 0.6"]
    assert load_config(path, {}).detection.classes["dog"].threshold_on == 0.6


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN.replace("\n", "\r\n"))
    write(rewritten(path, {"dog": 0.6}))
    assert path.read_bytes().count(b"\r\n") == PLAIN.count("\n")


@pytest.mark.parametrize(
    "more", ["[detection.defaults]\nthreshold_off = 0.4\n", "[detection.classes.rain]\nthreshold_off = 0.4\n"]
)
def test_a_lower_threshold_takes_the_other_with_it(tmp_path: Path, more: str) -> None:
    path = file(tmp_path, PLAIN + more)
    write(rewritten(path, {"rain": 0.35}))
    own = load_config(path, {}).detection.classes["rain"]
    assert (own.threshold_on, own.threshold_off) == (0.35, 0.35)


def test_the_diff_shows_what_changes(tmp_path: Path) -> None:
    rewrite = rewritten(file(tmp_path, PLAIN), {"dog": 0.625})
    assert [line for line in rewrite.diff().splitlines() if line[:1] in "+-"] == [
        "--- aed.toml", "+++ aed.toml (proposed)",
        "-threshold_on = 0.5 # as it came", "+threshold_on = 0.625 # as it came",
    ]  # fmt: skip
    assert rewrite.path.read_text() == PLAIN, "nothing is written yet"


def test_mode_and_link_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = file(tmp_path / "real", PLAIN)
    real.chmod(0o640)
    link = tmp_path / "aed.toml"
    link.symlink_to(real)
    write(rewritten(link, {"dog": 0.6}))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "0.6 #" in real.read_text()
    assert [path.name for path in real.parent.iterdir()] == ["aed.toml"]


def test_what_would_not_be_valid_is_not_written(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN.replace('type = "demo"', 'type = "demoo"'))
    before = path.read_text()
    with pytest.raises(ConfigError, match="demoo"):
        write(rewritten(path, {"dog": 0.6}))
    assert path.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == ["aed.toml"]


def test_a_file_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN)
    rewrite = rewritten(path, {"dog": 0.6})
    path.write_text(PLAIN + "# mine\n")
    with pytest.raises(ConfigError, match="changed meanwhile"):
        write(rewrite)
    assert path.read_text() == PLAIN + "# mine\n"


def test_without_tomlkit_it_says_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(ConfigError, match=r"by hand: dog 0\.6"):
        rewritten(file(tmp_path, PLAIN), {"dog": 0.6})


@pytest.mark.parametrize("text", ["detection = 3\n", "[detection]\nclasses = [1]\n", "a = \n"])
def test_a_file_with_other_things_in_place_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="thresholds cannot be written into it"):
        rewritten(file(tmp_path, text), {"dog": 0.6})


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A folder, and what makes it one that nobody can write in: root is stopped by a read-only disk alone."""
    if os.geteuid() != 0:
        yield tmp_path, lambda: tmp_path.chmod(0o500)
        return
    with small_disk(tmp_path / "disk", "1m") as place:
        remount = ["mount", "-o", "remount,ro", place]
        yield place, partial(subprocess.run, remount, check=True)


def test_a_folder_that_cannot_be_written(closed: tuple[Path, Callable[[], object]]) -> None:
    folder, close = closed
    rewrite = rewritten(file(folder, PLAIN), {"dog": 0.6})
    close()
    with pytest.raises(ConfigError, match="cannot be written"):
        write(rewrite)
