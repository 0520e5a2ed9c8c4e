"""The tutorial docs/own-sounds.md, carried out: from recordings to the daemon that knows them.

Its commands run as they stand, but for `--epochs`: what a user has in minutes the tests want in seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

from aed_daemon.audio import demo_sounds
from aed_daemon.manifest import load_manifest
from aed_daemon.sinks.topics import OFFLINE, ONLINE, Topics, availability_payload
from model_tools.data import synthetic
from tests.model_tools.own_sounds import RATE_HZ, SOUNDS, recording, write_set

PAGE = Path(__file__).parents[2] / "docs" / "own-sounds.md"
EPOCHS = 12
UNSEEN = 4

pytestmark = pytest.mark.timeout(900)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the comment before it."""

    language: str
    text: str
    remark: str


def blocks() -> list[Block]:
    found = re.findall(r"(?:<!-- ([^>]*) -->\n)?```(\w*)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [Block(language, text, remark) for remark, language, text in found]


def commands() -> list[str]:
    """The blocks of commands that can run here, in order."""
    ffmpeg = shutil.which("ffmpeg") is not None
    return [
        block.text
        for block in blocks()
        if block.language == "sh"
        and not block.remark.startswith("not run: ")
        and (ffmpeg or not block.remark.startswith("run with ffmpeg"))
    ]


def in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "AED_DATA_DIR": str(folder / "none")}
    command = command.replace("--base default", f"--base default --epochs {EPOCHS}")
    return subprocess.run(
        ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the tutorial's reader has recorded, all its commands done."""
    folder = tmp_path_factory.mktemp("tutorial")
    write_set(folder / "my_sounds", clips=8, seed=1)
    rng = np.random.default_rng(9)
    (folder / "my_sounds" / "background").mkdir()
    room = 0.01 * synthetic.coloured_noise(rng, 20 * RATE_HZ, RATE_HZ)
    soundfile.write(folder / "my_sounds" / "background" / "evening.wav", room, RATE_HZ)
    (folder / "my_sounds" / "doorbell" / "notes.txt").write_text("the last one was the postman\n")
    write_set(folder / "unseen", clips=UNSEEN, seed=2)
    shutil.copy(folder / "unseen" / "doorbell" / "doorbell-1.wav", folder / "new.wav")
    if shutil.which("ffmpeg"):
        long = np.concatenate(
            [np.zeros(2 * RATE_HZ), recording(rng, SOUNDS["knocking"]), np.zeros(4 * RATE_HZ)]
        )
        soundfile.write(folder / "phone.wav", long, RATE_HZ)
        convert = "ffmpeg -loglevel error -i phone.wav phone.m4a && rm phone.wav"
        assert in_shell(convert, folder).returncode == 0
    config = [block.text for block in blocks() if block.language == "toml"]
    (folder / "aed.toml").write_text(
        "\n".join(['[[source]]\nname = "porch"\ntype = "microphone"\n', *config])
    )
    for number, command in enumerate(commands()):
        if "check-config" in command:
            for suffix in (".tflite", ".json"):
                shutil.copy(folder / "runs" / "my_sounds" / f"my_sounds{suffix}", folder)
        done = in_shell(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        (folder / f"said-{number}").write_text(f"$ {command}{done.stdout}{done.stderr}")
    return folder


def said(place: Path, command: str) -> str:
    (text,) = [t for t in (path.read_text() for path in place.glob("said-*")) if command in t.splitlines()[0]]
    return text


def replayed(place: Path, *files: Path) -> list[dict[str, Any]]:
    model = place / "runs" / "my_sounds" / "my_sounds.tflite"
    arguments = [
        sys.executable,
        "-m",
        "aed_daemon",
        "replay",
        *map(str, files),
        "--json",
        "--model",
        str(model),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [event for event in events if event["type"] == "start" and event["class"] != "loud_sound"]


def test_every_command_runs_or_says_why_not() -> None:
    shell = [block for block in blocks() if block.language == "sh"]
    assert len(shell) >= 10
    for block in shell:
        if block.text not in commands():
            assert re.match(r"(not run: needs|run with ffmpeg: )", block.remark), block.text
    ran = "".join(commands())
    for command in ("train --data", "quantize runs/", "replay new.wav", "check-config"):
        assert command in ran


def test_training_tells_what_it_made_of_the_folder(place: Path) -> None:
    text = said(place, "model-tools train")
    assert "doorbell: 1 files, the first is notes.txt, are ignored" in text
    assert "class oven_beep: 8 clips; short, starts an event at its second hop." in text
    assert re.search(r"\d of \d recordings that were held out start their class and no other", text)
    assert "`model-tools fetch negatives`" in text


def test_the_check_is_of_recordings_that_its_network_has_not_seen(place: Path) -> None:
    whole = json.loads((place / "runs" / "my_sounds" / "config.json").read_text())
    part = json.loads((place / "runs" / "my_sounds" / "check" / "config.json").read_text())
    check = json.loads((place / "runs" / "my_sounds" / "check.json").read_text())
    held = set(whole["clips"]) - set(part["clips"])
    assert len(held) == len(whole["clips"]) - len(part["clips"]) == check["clips"] >= 6
    assert check["right"] / check["clips"] > 0.6


def test_the_manifest_says_what_the_model_is(place: Path) -> None:
    manifest = load_manifest(place / "runs" / "my_sounds" / "my_sounds.tflite")
    assert manifest.name == "my_sounds"
    assert manifest.slugs == (*SOUNDS, "background")
    assert {label.label for label in manifest.labels} == {"Doorbell", "Knocking", "Oven beep", "Background"}
    assert {label.slug for label in manifest.labels if label.confirm_s == 0.24} == set(SOUNDS)
    assert "check" in manifest.metrics
    assert manifest.provenance.held_out == ""
    # Nobody has said under what terms the recordings are.
    assert not manifest.provenance.redistributable
    assert sum(source.share for source in manifest.provenance.data) == pytest.approx(1.0, abs=1e-3)
    assert {source.name for source in manifest.provenance.data} >= {"own", "own background"}


def test_the_daemon_hears_the_sounds_in_recordings_that_were_not_learnt_from(place: Path) -> None:
    right = 0
    for slug in SOUNDS:
        for number in range(1, UNSEEN + 1):
            events = replayed(place, place / "unseen" / slug / f"{slug}-{number}.wav")
            right += {event["class"] for event in events} == {slug}
    assert right >= len(SOUNDS) * UNSEEN - 2
    assert "start   doorbell" in said(place, "aed-daemon replay")


def test_the_daemon_is_silent_where_there_is_nothing(place: Path) -> None:
    rng = np.random.default_rng(5)
    n = 20 * RATE_HZ
    quiet = {
        "noise": 0.003 * rng.normal(0.0, 1.0, n),
        "brown": 0.05 * synthetic.coloured_noise(rng, n, RATE_HZ),
        "hum": synthetic.at_level(synthetic.hum(rng, n, RATE_HZ), -35.0),
        "speech": 0.2 * demo_sounds.speech(rng, 10.0),
    }
    files = []
    for name, samples in quiet.items():
        files.append(place / f"{name}.wav")
        soundfile.write(files[-1], np.clip(samples, -1.0, 1.0), RATE_HZ)
    assert [(event["source"], event["class"]) for event in replayed(place, *files)] == []


def test_one_line_of_configuration_takes_the_model(place: Path) -> None:
    (line,) = [block.text for block in blocks() if block.text.startswith("[model]\n")]
    assert tomllib.loads(line) == {"model": {"path": "my_sounds.tflite"}}
    done = in_shell(
        "sed -i s/classes.doorbell/classes.dog/ aed.toml; aed-daemon check-config aed.toml", place
    )
    assert done.returncode == 2
    assert "the model my_sounds has no class 'dog'" in done.stderr


def test_home_assistant_is_told_the_topics_that_there_are() -> None:
    (yaml,) = [block.text for block in blocks() if block.language == "yaml"]
    topics = Topics("aed", "hall")
    assert set(re.findall(r'topic: "([^"]+)"', yaml)) == {
        topics.class_state("porch", "doorbell"),
        topics.class_attributes("porch", "doorbell"),
        topics.bridge_state,
        topics.availability("porch"),
    }
    states = [json.loads(text)["state"] for text in (ONLINE, OFFLINE, availability_payload(True, None))]
    assert states == ["online", "offline", "online"]
