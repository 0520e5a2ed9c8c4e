"""`aed-daemon tune` from end to end: a soundscape, a rate, a configuration, another soundscape."""

from __future__ import annotations

import contextlib
import io
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.cli import main
from aed_daemon.config_file import load_config
from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import Query
from aed_daemon.supervisor import Daemon
from tests.history.parts import event, hour, written
from tests.sounds import soundscape, write_wav
from tests.tuning.parts import at

WANTED_PER_DAY = 9_000.0
SECONDS = 200.0


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    error: str


def tune(*arguments: object) -> Said:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            status = main(["tune", *map(str, arguments)])
        except SystemExit as usage:
            status = int(usage.code or 0)
    return Said(status, out.getvalue(), error.getvalue())


def listen(folder: Path, seed: int) -> tuple[Path, Archive]:
    """Run a daemon over a soundscape; return its configuration and its history."""
    folder.mkdir(exist_ok=True)
    write_wav(folder / "scene.wav", soundscape(seed, SECONDS))
    config = folder / "aed.toml"
    if not config.exists():
        config.write_text(
            "# kept\n[detection.loud_sound]\nenabled = false\n\n"
            '[[source]]\nname = "scene"\ntype = "file"\npath = "scene.wav"\nrealtime = false\n'
        )
    Daemon(load_config(config, {}), state=folder).run()
    return config, Archive(folder / "history.db")


def test_a_wanted_rate_is_reached_on_another_soundscape(tmp_path: Path) -> None:
    """All that starts is taken for a false alarm: as if the house were known to be quiet."""
    config, first = listen(tmp_path / "first", 1)
    said = tune(
        "--false-alarms-per-day", WANTED_PER_DAY, "--assume-wrong", "--file", first.path, "--config", config,
        "--write", "--yes",
    )  # fmt: skip
    assert said.status == 0, said.error
    assert "takes it over" in said.out
    assert config.read_text().startswith("# kept\n")
    assert load_config(config, {}).detection.classes
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "aed.toml").write_text(config.read_text())
    _, second = listen(tmp_path / "second", 2)
    expected = WANTED_PER_DAY * SECONDS / 86_400
    assert expected >= 20
    started = len(second.sounds(Query(limit=1_000)).sounds)
    assert expected / 2 <= started <= expected * 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve hours: of the dog a hundred excursions, of the rain none."""
    barks, hours = at(*range(100, 200)), range(0, 12 * 3_600, 3_600)
    dogs = [hour(hour_ts=ts, strengths=at() if ts else barks) for ts in hours]
    rain = [hour(hour_ts=ts, class_="rain") for ts in hours]
    return written(tmp_path / "history.db", hours=[*dogs, *rain])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aed.toml"
    path.write_text('[[source]]\nname = "demo"\ntype = "demo"\n')
    return path


def test_the_trade_off_is_shown(file: Path) -> None:
    said = tune("--false-alarms-per-day", 20, "--assume-wrong", "--file", file)
    assert said.status == 0
    assert "dog: threshold_on 0.5, 144 a day -> 0.7421, 20 a day" in said.out
    assert "rain: threshold_on 0.5, 0 a day -> 0.3007, 0 a day" in said.out
    assert "In 12.0 hours of sound the proposals would have let through 10 false alarms" in said.out
    assert max(map(len, said.out.splitlines())) < 110


def test_unlabelled_sounds_settle_nothing(file: Path, config: Path) -> None:
    before = config.read_text()
    options = ["--false-alarms-per-day", "20", "--file", file, "--config", config, "--write", "--yes"]
    said = tune(*options, "--class", "dog")
    assert said.status == 1
    assert "Not settled, and not written: 100 sounds without a label decide whether 0.3007" in said.out
    assert config.read_text() == before


def test_more_than_the_hours_carry_is_refused(file: Path, config: Path) -> None:
    before = config.read_text()
    options = ["--assume-wrong", "--file", file, "--config", config, "--write", "--yes"]
    said = tune("--false-alarms-per-day", "1", *options)
    assert said.status == 1
    assert said.error == (
        "aed-daemon: what was logged cannot promise 1 false alarms a day: expected 6.0 days of sound, "
        "got 12.0 hours. Listen for 5.5 days more, or allow 12 a day.\n"
    )
    assert config.read_text() == before


def test_nobody_is_there_to_agree(file: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    options = ["--assume-wrong", "--file", file, "--config", config, "--write"]
    said = tune("--false-alarms-per-day", "20", *options)
    assert (said.status, "nobody can be asked here" in said.error) == (2, True)
    assert "threshold_on" not in config.read_text()


@pytest.mark.parametrize(("answer", "written_"), [("y\n", True), ("\n", False), ("n\n", False), ("", False)])
def test_it_asks_first(
    file: Path, config: Path, monkeypatch: pytest.MonkeyPatch, answer: str, written_: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    options = ["--assume-wrong", "--file", file, "--config", config, "--write"]
    said = tune("--false-alarms-per-day", "20", *options)
    assert "+threshold_on = 0.7421" in said.out
    assert said.status == (0 if written_ else 1)
    assert ("threshold_on = 0.7421" in config.read_text()) == written_


def test_the_plot_is_a_picture(file: Path, tmp_path: Path) -> None:
    for name in ("plot.svg", "plot.html"):
        said = tune("--false-alarms-per-day", 20, "--assume-wrong", "--file", file, "--plot", tmp_path / name)
        assert said.status == 0, said.error
        text = (tmp_path / name).read_text()
        picture = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])  # noqa: S314
        lines = picture.findall(".//{*}polyline")
        titles = [element.text for element in picture.findall(".//{*}text[@class='title']")]
        assert titles[1:] == ["dog", "rain"]
        points = [tuple(map(float, point.split(","))) for point in lines[0].attrib["points"].split()]
        assert [y for _, y in points] == sorted(y for _, y in points), "fewer alarms at higher thresholds"
        assert np.ptp([x for x, _ in points]) > 100
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_plot_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    said = tune(
        "--false-alarms-per-day", 20, "--assume-wrong", "--file", file, "--plot", tmp_path / "no" / "p.svg"
    )
    assert (said.status, "the plot cannot be written" in said.error) == (1, True)


def test_labels_show_what_is_kept(tmp_path: Path) -> None:
    dog = event(0.0)
    path = written(tmp_path / "h.db", events=[dog], hours=[hour(strengths=at(128, 150, 200))])
    Archive(path).label(dog.id, "right")
    said = tune("--false-alarms-per-day", 200, "--assume-wrong", "--file", path)
    assert "% of the true sounds found" in said.out
    assert "kept" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--false-alarms-per-day", "20", "--class", "dgo"],
            "nothing was logged of dgo: expected of",
        ),
        (["--false-alarms-per-day", "20", "--since", "1s"], "nothing was logged in that time"),
        (["--false-alarms-per-day", "0"], "expected a number from 0.001"),
        (["--false-alarms-per-day", "nan"], "expected a number from 0.001"),
        ([], "--false-alarms-per-day"),
    ],
)
def test_mistakes(file: Path, arguments: list[str], words: str) -> None:
    said = tune("--file", file, *arguments)
    assert said.status in (1, 2)
    assert words in said.error
