"""`aed-daemon events` and `label`, on the file of a daemon that runs and of one that is gone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.cli import main
from aed_daemon.history.archive import Archive
from aed_daemon.history.errors import HistoryError
from aed_daemon.history.rows import STEPS, Query
from tests.history.parts import end_of, event, hour, near_miss, written
from tests.process import Daemon, aed, toml
from tests.sounds import soundscape, write_wav
from tests.waiting import wait_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    dog, rain = event(0.0), event(60.0, class_="rain", source="yard", score_max=0.61)
    scores = np.zeros(STEPS, np.uint32)
    scores[[10, 20, 250]] = 900, 95, 5
    strengths = np.zeros(STEPS, np.uint32)
    strengths[[100, 200, 201]] = 4, 1, 2
    return written(
        tmp_path / "state" / "history.db",
        events=[dog, end_of(dog), rain],
        near_misses=[near_miss(30.0)],
        hours=[hour(scores=scores, strengths=strengths)],
    )


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which is quicker."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as usage:
            status = int(usage.code or 0)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def events(file: Path, *options: str) -> list[dict[str, Any]]:
    done = command("events", "--file", file, "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["dog", "rain"]),
        (["--limit", "1"], ["rain"]),
        (["--class", "dog,rooster"], ["dog"]),
        (["--source", "yard"], ["rain"]),
        (["--min-score", "0.9"], ["dog"]),
        (["--kind", "near_miss"], ["dog"]),
        (["--kind", "all", "--limit", "0"], ["dog", "dog", "rain"]),
        (["--since", "2026-11-23T01:15:00Z"], ["rain"]),
        (["--until", "2026-11-23T01:15:00Z"], ["dog"]),
        (["--labels", "right"], []),
        (["--labels", "none"], ["dog", "rain"]),
    ],
)
def test_events_that_are_asked_for(file: Path, options: list[str], expected: list[str]) -> None:
    assert [found["class"] for found in events(file, *options)] == expected


def test_json_has_what_is_known(file: Path) -> None:
    dog, rain = events(file)
    assert (dog["start"], dog["end"]) == ("2026-11-23T01:14:21.480Z", "2026-11-23T01:14:22.980Z")
    assert (dog["duration_s"], dog["score_max"], dog["rms_dbfs"]) == (1.5, 0.97, -23.1)
    assert (rain["end"], rain["source"], rain["model_sha256"]) == (None, "yard", "0" * 64)


def test_csv_is_read_by_its_own_library(file: Path) -> None:
    done = command("events", "--file", file, "--csv")
    dog, rain = csv.DictReader(io.StringIO(done.stdout))
    assert (dog["class"], dog["duration_s"], rain["end_ts"]) == ("dog", "1.5", "")


def test_people_get_a_table(file: Path) -> None:
    done = aed("events", "--file", file, "--kind", "all", env={"TZ": "UTC0"})
    title, dog, near, rain = done.stdout.splitlines()
    assert title.split() == ["WHEN", "WHAT", "CLASS", "SCORE", "LASTED", "LEVEL", "SOURCE", "LABEL", "ID"]
    assert dog.split()[:6] == ["2026-11-23", "01:14:21", "dog", "0.97", "1.5", "s"]
    assert "near miss" in near
    assert "goes on" in rain


def test_the_hours_have_quantiles(file: Path) -> None:
    (found,) = events(file, "--by-hour")
    assert (found["median"], found["p95"], found["p99"], found["max"]) == (
        round(10 / 256, 4), round(20 / 256, 4), round(20 / 256, 4), round(250 / 256, 4)
    )  # fmt: skip
    assert (found["over_threshold"], found["near_misses"], found["threshold_on"]) == (3, 4, 0.5)
    done = aed("events", "--file", file, "--by-hour", env={"TZ": "UTC0"})
    assert done.stdout.splitlines()[1].split() == [
        "2026-11-23", "01:00", "porch", "dog", "60.0", "min", "3", "4", "0.04", "0.08", "0.08", "0.98", "0.50"
    ]  # fmt: skip


def test_labels_are_given_seen_and_taken_back(file: Path) -> None:
    dog, rain = events(file)
    done = command("label", "--file", file, dog["id"], "right")
    assert (done.returncode, done.stdout) == (0, "dog at 2026-11-23T01:14:21.480Z (event): right\n")
    assert command("label", "--file", file, rain["id"][-8:].lower(), "wrong").returncode == 0
    assert [found["label"] for found in events(file)] == ["right", "wrong"]
    assert command("label", "--file", file, dog["id"], "none").returncode == 0
    assert [found["label"] for found in events(file)] == [None, "wrong"]


def test_what_was_missed_is_noted(file: Path) -> None:
    done = command("label", "--file", file, "--missed", "--class", "dog", "--at", "10m", "--source", "porch")
    assert done.returncode == 0, done.stderr
    (noted,) = events(file, "--labels", "missed")
    assert (noted["kind"], noted["class"], noted["source"]) == ("missed", "dog", "porch")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["label"], "what is to be labelled is not clear"),
        (["label", "ABCDEFGH", "right"], "there is no such sound"),
        (["label", "%", "right"], "no id of a sound"),
        (["label", "--missed", "--class", "dog"], "what was missed is not clear"),
        (
            ["label", "--missed", "--class", "dgo", "--at", "1m"],
            "no class 'dgo' was listened for",
        ),
        (["label", "--missed", "--class", "dog", "--at", "2999-01-01"], "nobody can have missed that yet"),
        (["events", "--labels", "maybe"], "unknown label: expected right, wrong, missed, none, got 'maybe'"),
        (["events", "--kind", "noise"], "unknown kind"),
    ],
)
def test_mistakes_are_one_sentence(file: Path, arguments: list[str], words: str) -> None:
    done = command(*arguments, "--file", file)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("aed-daemon: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--limit", "-3"], ["--json", "--csv"]])
def test_options_that_make_no_sense_are_usage(file: Path, arguments: list[str]) -> None:
    assert command("events", "--file", file, *arguments).returncode == 2


def test_without_a_history_it_says_so(tmp_path: Path) -> None:
    done = aed("events", env={"STATE_DIRECTORY": str(tmp_path), "AED_CONFIG": ""})
    assert done.returncode == 1
    assert "there is no history yet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_commands_find_the_file_where_the_daemon_has_it(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "scene.wav", soundscape(1, 12.0))
    source = f'name = "f"\ntype = "file"\npath = "{wav}"\nloop = true'
    with Daemon(tmp_path, toml([source])) as daemon:
        env = {"STATE_DIRECTORY": str(daemon.state), "AED_CONFIG": str(daemon.config)}
        archive = Archive(daemon.state / "history.db")

        def found() -> bool:
            with suppress(HistoryError):  # as long as it is not there yet
                return bool(archive.sounds(Query()).sounds)
            return False

        wait_for(found, "an event while it runs", 60.0)
        done = aed("events", "--json", env=env)
        running = [json.loads(line)["id"] for line in done.stdout.splitlines()]
        assert running, done.stderr
    assert [archive.path.stat().st_mode & 0o777] == [0o600]
    after = [json.loads(line)["id"] for line in aed("events", "--json", env=env).stdout.splitlines()]
    assert after[: len(running)] == running
    configured = tmp_path / "other.toml"
    configured.write_text(daemon.config.read_text() + '\n[history]\npath = "state/history.db"\n')
    done = aed("events", "--config", configured, "--limit", "1", "--json")
    assert json.loads(done.stdout)["id"] == after[-1]
