"""`aed-daemon listen` on a real pseudo-terminal, its screen read back by a terminal emulator."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.process import toml
from tests.sounds import soundscape, write_wav
from tests.terminal.pty_terminal import Terminal
from tests.waiting import wait_for

FOOT = "q leave"


@pytest.fixture(scope="module")
def dog(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dog, and then minutes of rain: nothing ends while a test looks."""
    return str(write_wav(tmp_path_factory.mktemp("dog") / "dog.wav", soundscape(1, 60.0)))


def test_it_shows_what_is_heard_and_obeys_its_keys(tmp_path: Path, dog: str) -> None:
    marks = tmp_path / "marks.jsonl"
    with Terminal("--file", dog, "--marks", str(marks)) as terminal:
        terminal.wait_for("━dog")
        lines = terminal.picture()
        assert lines[0].startswith("dog.wav  listening")
        assert re.match(r"level +.*-\d+\.\d dBFS  floor -\d+\.\d  peak -\d+\.\d", lines[1])
        assert re.match(r"dog .*┃.* \d\.\d\d of 0\.\d\d", lines[2])
        assert any(re.search(r"start +dog +[01]\.\d\d  \d\d:\d\d:\d\d\.\d\d\d", line) for line in lines)
        assert [line[:6].strip() for line in lines if line[:6].strip() in ("7.5k", "125")] == ["7.5k", "125"]
        assert sum("▀" in line for line in lines) >= 8
        colours = [colour for colour in terminal.colours if re.fullmatch(r"[0-9a-f]{6}", colour)]
        assert len(colours) > 10, "a spectrogram with a dog in it"
        assert any("━dog" in line for line in lines[-4:]), "it lies on the time axis"

        terminal.press("?")
        terminal.wait_for("mark this moment")
        terminal.press("?")
        wait_for(lambda: not terminal.shows("mark this moment"), "the help is gone")

        terminal.press("m")
        terminal.wait_for("▲")
        wait_for(lambda: marks.read_text() != "", "the mark is kept at once")
        mark = json.loads(marks.read_text())
        assert (mark["mark"], mark["source"]) == ("missed", "dog.wav")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", mark["at"])
        assert mark["sample"] > 0

        terminal.press("p")
        terminal.wait_for("HELD")
        terminal.press("?")
        terminal.wait_for("mark this moment")
        terminal.press("?")
        wait_for(lambda: not terminal.shows("mark this moment"), "drawn once more")
        held = terminal.picture()
        terminal.press("x")
        terminal.press("\x1b[A")  # an arrow
        terminal.press("\x1b")
        terminal.press("m")
        wait_for(lambda: len(marks.read_text().splitlines()) == 2, "a mark is taken while it is held")
        assert terminal.picture() == held
        terminal.press(" ")
        wait_for(lambda: terminal.lines[1:-1] != held[1:-1], "it goes on")
        assert not terminal.shows("HELD")

        terminal.press("q")
        assert terminal.wait_end() == 0
        terminal.wait_for("2 marks.")
        assert terminal.restored
        assert terminal.shows(mark["at"])


def test_every_end_gives_the_terminal_back(dog: str) -> None:
    with Terminal("--file", dog) as terminal:
        terminal.wait_for(FOOT)
        terminal.press("\x03")  # Ctrl-C
        assert terminal.wait_end() == 0
        assert terminal.restored
    with Terminal("--file", dog) as terminal:
        terminal.wait_for(FOOT)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_end() == 0
        assert terminal.restored


def test_the_sounds_end_leaves_what_was_heard_on_the_terminal(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "short.wav", soundscape(1, 4.0))
    with Terminal("--file", str(path)) as terminal:
        assert terminal.wait_end() == 0
        terminal.wait_for("near misses, 0 marks.")
        assert terminal.shows("start      dog")
        assert terminal.restored


def test_an_error_is_told_on_a_terminal_that_is_as_it_was(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "cut.wav", soundscape(1, 4.0))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with Terminal("--file", str(path), columns=200) as terminal:
        assert terminal.wait_end() == 4
        wait_for(lambda: terminal.shows("aed-daemon: "), "the error is told")
        assert not terminal.shows("Traceback")
        assert terminal.restored


def test_a_connection_that_breaks_ends_it(dog: str) -> None:
    with Terminal("--file", dog) as terminal:
        terminal.wait_for(FOOT)
        terminal.hang_up()
        terminal.wait_end()


def test_it_can_be_suspended(dog: str) -> None:
    with Terminal("--file", dog, script="{}; read answer; fg; echo status $?") as terminal:
        terminal.wait_for(FOOT)
        terminal.press("\x1a")  # Ctrl-Z
        wait_for(lambda: b"Stopped" in terminal.sent, "it stands still")
        assert terminal.restored
        terminal.press("\n")
        wait_for(lambda: terminal.sent.endswith(b"\x1b[?25l") or not terminal.restored, "it is back")
        terminal.wait_for(FOOT)
        terminal.press("q")
        assert terminal.wait_end() == 0
        terminal.wait_for("status 0")
        assert terminal.restored


def test_it_fits_every_size(dog: str) -> None:
    with Terminal("--file", dog) as terminal:
        terminal.wait_for("start")
        for columns, rows in ((60, 40), (80, 24), (30, 12), (12, 4), (140, 50)):
            terminal.resize(columns, rows)
            wait_for(lambda rows=rows: "space" in terminal.lines[rows - 1], f"{columns} x {rows}")  # type: ignore[misc]
            wait_for(lambda: terminal.lines[0].startswith("dog.wav"), f"{columns} x {rows}")
            assert terminal.process.poll() is None
        assert sum("▀" in line for line in terminal.lines) > 20
        terminal.press("q")
        assert terminal.wait_end() == 0


def test_no_color_is_respected(dog: str) -> None:
    with Terminal("--file", dog, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("start")
        assert terminal.colours == {"default"}
        wait_for(
            lambda: any("▓" in line or "█" in line for line in terminal.picture()[13:-3]), "a dog in shades"
        )
        terminal.press("q")
        assert terminal.wait_end() == 0


def test_an_encoding_without_blocks_gets_ascii(dog: str) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    with Terminal("--file", dog, env={**env, "TERM": "xterm-256color", "COLORTERM": ""}) as terminal:
        terminal.wait_for("start")
        assert all(line.isascii() for line in terminal.lines)
        assert len(terminal.colours) > 5, "in 256 colours"
        terminal.press("q")
        assert terminal.wait_end() == 0


def test_a_terminal_that_can_do_nothing_gets_lines(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "short.wav", soundscape(1, 4.0))
    with Terminal("--file", str(path), env={"TERM": "dumb", "COLORTERM": ""}) as terminal:
        assert terminal.wait_end() == 0
        wait_for(lambda: terminal.shows("end        dog"), "the end")
        assert b"\x1b" not in terminal.sent


def test_without_a_keyboard_it_is_a_picture_alone(dog: str) -> None:
    with Terminal("--file", dog, keyboard=False) as terminal:
        terminal.wait_for("Ctrl-C leaves")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait_end() == 0
        assert terminal.restored


def test_sources_are_looked_at_one_after_the_other(tmp_path: Path, dog: str) -> None:
    config = tmp_path / "aed.toml"
    second = 'name = "attic"\ntype = "demo"'
    config.write_text(toml([f'name = "porch"\ntype = "file"\npath = "{dog}"', second]))
    with Terminal("--config", str(config)) as terminal:
        terminal.wait_for("porch  listening  source 1 of 2")
        terminal.press("\t")
        terminal.wait_for("attic  listening  source 2 of 2")
        terminal.press("n")
        terminal.wait_for("source 1 of 2")
        terminal.press("q")
        assert terminal.wait_end() == 0


def test_a_file_for_marks_that_cannot_be_written_is_told_at_once(tmp_path: Path, dog: str) -> None:
    with Terminal("--file", dog, "--marks", str(tmp_path / "no" / "marks"), columns=200) as terminal:
        assert terminal.wait_end() == 2
        terminal.wait_for("the file for marks cannot be written")
