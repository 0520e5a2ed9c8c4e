"""README and docs: links lead somewhere, commands exist, those of the guides run."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from aed_daemon import cli
from aed_daemon.config_file import load_config
from aed_daemon.control.settings import Silence
from aed_daemon.errors import AudioError
from aed_daemon.events import Reason
from aed_daemon.manifest import DEFAULT_MODEL
from aed_daemon.native import machine
from model_tools import cli as tools
from tests.model_tools.export.compilers import need, need_emulator, need_host
from tests.model_tools.export.other_machines import OTHERS
from tests.native_model import copied
from tests.sounds import soundscape, write_wav

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "MODEL_CARD.md", "CHANGELOG.md", "SECURITY.md")] + sorted(
    ROOT.glob("docs/*.md")
)
BOARDS, CONTROLLERS = ROOT / "docs" / "linux-boards.md", ROOT / "docs" / "microcontrollers.md"


def anchors(page: Path) -> set[str]:
    """Return what a page's headings can be linked by, as GitHub names them."""
    headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_an_anchor_that_is_not_there_would_show() -> None:
    assert "on-a-microcontroller" in anchors(ROOT / "README.md")
    assert "nowhere" not in anchors(ROOT / "README.md")


def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


def mentioned(program: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield page, command and options of every call that the pages show."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        calls = re.findall(rf"{program} ([a-z][a-z-]+)((?:[ \t]+[^`\n#|]*)?)", text)
        for command, rest in calls:
            yield page.name, command, set(re.findall(r"(?<!\S)--[a-z-]+", rest.split("  ")[0]))


@pytest.mark.parametrize(
    ("program", "parser"), [("aed-daemon", cli.build_parser()), ("model-tools", tools._parser())]
)
def test_commands_and_their_options_exist(program: str, parser: argparse.ArgumentParser) -> None:
    known = choices(parser)
    found = list(mentioned(program))
    assert len({command for _, command, _ in found}) >= 6
    for page, command, options in found:
        assert command in known, f"{page}: {program} {command}"
        missing = options - set(known[command]._option_string_actions)
        assert not missing, f"{page}: {program} {command} {missing}"


def test_subscribers_find_every_reason() -> None:
    """Why a source is away and why a sound ends, each in its table."""
    ends, _, away = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8").partition("## Availability")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "aed_daemon" / "audio").glob("*.py"))
    codes = set(re.findall(r'(?:\bcode|_UNREADABLE) = ?"(\w+)"|\bcode="(\w+)"', code))
    told = {one or other for one, other in codes} | {AudioError("").code, *get_args(Silence)}
    assert {"file_unreadable", "command_failed", "dead_signal", "device_lost", "paused"} <= told
    for reason in told | {"starting", "ended", "stopped", "failed"}:
        assert re.search(rf"(?m)^\|.*`{reason}`.*\|", away), reason
    for reason in get_args(Reason):
        assert re.search(rf"(?m)^\| `{reason}` \|", ends), reason


class Block(NamedTuple):
    """A block of commands, and the comment before it: "not run: why" or "fails: …"."""

    text: str
    remark: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"(?:<!-- ([^>]*) -->\n)?```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [Block(text, remark) for remark, text in found]


def carry_out(page: Path, folder: Path) -> dict[str, str]:
    """Run a page's commands in a folder; return what each block has printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = {}
    for block in blocks(page):
        if block.remark.startswith("not run: "):
            continue
        done = subprocess.run(
            ["bash", "-euc", block.text], cwd=folder, env={**os.environ, "PATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == block.remark.startswith("fails: "), f"{block.text}{done.stderr}"
        said[block.text] = done.stdout + done.stderr
    return said


def need_ffmpeg() -> None:
    if shutil.which("ffmpeg") is None:
        reason = "ffmpeg is missing: apt-get install ffmpeg"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def of(said: dict[str, str], command: str) -> str:
    (text,) = [text for block, text in said.items() if command in block]
    return text


@pytest.mark.timeout(600)
def test_the_page_of_linux_boards_works(tmp_path: Path) -> None:
    for other in OTHERS:
        other.need()
    (tmp_path / "board").mkdir()
    copied(DEFAULT_MODEL, tmp_path / "board")
    said = carry_out(BOARDS, tmp_path)
    assert re.search(r"(?m)^engine +native$", of(said, "aed-daemon info"))
    assert re.search(r"(?m)^exact +True$", of(said, "aed-daemon info"))
    libraries = {path.name.split(".")[1] for path in (tmp_path / "board").glob("*.so")}
    assert libraries == {machine(), "aarch64", "armv7l"}
    assert (tmp_path / "bundle" / "install.sh").exists()
    assert (tmp_path / "bundle" / f"{DEFAULT_MODEL.stem}.armv7l.so").exists()


RUN_HERE = (
    "configuration",
    "history",
    "listen",
    "metrics",
    "quick-start",
    "raspberry-pi",
    "troubleshooting",
    "tuning",
    "web",
    "yocto",
)
RUN_BY_THEMSELVES = {"linux-boards", "microcontrollers", "own-sounds"}


@pytest.mark.parametrize("name", RUN_HERE)
def test_the_commands_of_a_page_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "promtool" in (page := ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"):
        need("promtool")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    write_wav(tmp_path / "recording.wav", soundscape(1, 6.0))
    (tmp_path / "aed.toml").write_text(
        '[[source]]\nname = "scape"\ntype = "demo"\n[mqtt]\nenabled = true\nport = 9\n'
    )
    said = carry_out(page, tmp_path)
    if name == "quick-start":
        assert re.search(r"start +dog", of(said, "aed-daemon replay")), said


def test_every_page_with_commands_is_run() -> None:
    with_commands = {page.stem for page in ROOT.glob("docs/*.md") if blocks(page)}
    assert with_commands == {*RUN_HERE, *RUN_BY_THEMSELVES}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_configurations_that_are_shown_are_valid(page: Path, tmp_path: Path) -> None:
    for indent, text in re.findall(r"(?ms)^( *)```toml\n(.*?)^ *```", page.read_text(encoding="utf-8")):
        config = re.sub(rf"(?m)^{indent}", "", text)
        if "[[source]]" not in config:
            config += '\n[[source]]\nname = "scape"\ntype = "demo"\n'
        path = tmp_path / "aed.toml"
        path.write_text(config, encoding="utf-8")
        load_config(path, {})


@pytest.mark.timeout(600)
def test_the_page_of_microcontrollers_works(tmp_path: Path) -> None:
    need_host()
    need_emulator()
    need("cmake")
    need_ffmpeg()
    write_wav(tmp_path / "recording.wav", soundscape(1, 12.0))
    convert = ["ffmpeg", "-loglevel", "error", "-i", "recording.wav", "recording.ogg"]
    subprocess.run(convert, cwd=tmp_path, check=True)
    said = carry_out(CONTROLLERS, tmp_path)
    assert "report.txt says more" in of(said, "export --target stm32u5")
    refusal = of(said, "--target stm32l0")
    assert "does not fit" in refusal
    assert not (tmp_path / "l0").exists()
    assert of(said, "model-tools verify").count("equal") >= 4
    assert "100% tests passed" in of(said, "ctest")
    assert re.search(r"(?m)^start \w+ \d+\.\d\d s -\d+ dBFS", of(said, "aed_listen"))
