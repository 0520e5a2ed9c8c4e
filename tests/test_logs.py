"""Messages: for people or as JSON, from the program or from libraries, with journald's priorities."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from aed_daemon.config import LogConfig
from aed_daemon.logs import configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_where_nobody_looks() -> None:
    out = io.StringIO()
    configure(LogConfig(), out, {})
    structlog.get_logger("aed_daemon.x").info("source_lost", source="pörch", path=Path("/x"))
    fields = json.loads(out.getvalue())
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {"event": "source_lost", "level": "info", "source": "pörch", "path": "/x"}


def test_one_line_each_even_with_a_traceback() -> None:
    out = io.StringIO()
    configure(LogConfig(), out, {})
    try:
        raise KeyError("a\nb")
    except KeyError:
        structlog.get_logger().exception("bug", text="c\nd \udcff")
    [line] = out.getvalue().splitlines()
    assert "Traceback" in json.loads(line)["exception"]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_level(level: str) -> None:
    out = io.StringIO()
    configure(LogConfig.model_validate({"level": level}), out, {})
    names = ["debug", "info", "warning", "error"]
    for name in names:
        getattr(structlog.get_logger(), name)("ours")
        getattr(logging.getLogger("library"), name)("theirs %d", 1)
    said = [(line["event"], line["level"]) for line in map(json.loads, out.getvalue().splitlines())]
    expected = names[names.index(level) :]
    assert said == [(event, name) for name in expected for event in ("ours", "theirs 1")]


def test_a_second_call_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger()
    configure(LogConfig(), first, {})
    configure(LogConfig(level="error"), second, {})
    log.info("quiet")
    log.error("loud")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_warnings_are_messages() -> None:
    out = io.StringIO()
    configure(LogConfig(), out, {})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", stacklevel=1)
    assert "old ways" in json.loads(out.getvalue())["event"]


def test_plain_text_for_people() -> None:
    out = io.StringIO()
    configure(LogConfig(format="console"), out, {})
    structlog.get_logger().warning("source_lost", source="porch")
    assert "source_lost" in out.getvalue()
    assert "source=porch" in out.getvalue()
    assert "{" not in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("env", "colors"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colors(env: dict[str, str], colors: bool) -> None:
    reader, writer = pty.openpty()
    try:
        with open(writer, "w", encoding="utf-8", closefd=False) as terminal:
            configure(LogConfig(), terminal, env)
            structlog.get_logger().info("hello")
        text = os.read(reader, 4096).decode()
    finally:
        os.close(reader)
        os.close(writer)
    assert "hello" in text
    assert ("\x1b[" in text) == colors


def test_journald_gets_priorities(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+", encoding="utf-8") as journal:
        there = os.fstat(journal.fileno())
        configure(LogConfig(), journal, {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"})
        structlog.get_logger().error("broken")
        structlog.get_logger().info("fine")
        configure(LogConfig(), journal, {"JOURNAL_STREAM": "1:2"})  # inherited, but written elsewhere
        structlog.get_logger().info("plain")
        journal.seek(0)
        first, second, third = journal.read().splitlines()
    assert first.startswith("<3>{")
    assert second.startswith("<6>{")
    assert third.startswith("{")


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogConfig())
    structlog.get_logger().info("hello")
    said = capsys.readouterr()
    assert said.out == ""
    assert "hello" in said.err
