"""Every command, as a process, with good input and with every kind of bad one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from tests.mosquitto import free_port
from tests.process import aed, command, toml
from tests.sounds import quiet, soundscape, write_wav


@pytest.fixture
def dog(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "dog.wav", soundscape(1, 6.0))


def assert_one_sentence(text: str) -> None:
    lines = [line for line in text.splitlines() if not line.startswith("INFO: ")]
    assert len(lines) == 1, text
    assert lines[0].startswith("aed-daemon: ")
    assert "Traceback" not in text


COMMANDS = (
    "", "run", "replay", "devices", "listen", "check-config", "info", "doctor", "events", "label", "tune"
)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str) -> None:
    done = aed(*([name] if name else []), "--help")
    assert done.returncode == 0
    assert "usage: aed-daemon" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, aed_daemon.cli as c; c.build_parser(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "pydantic", "structlog", "rich", "paho", "sounddevice"} & set(loaded)


def test_replay_prints_events_people_can_read(dog: Path) -> None:
    done = aed("replay", dog)
    assert done.returncode == 0, done.stderr
    assert any(line.split()[2:4] == ["start", "dog"] for line in done.stdout.splitlines()), done.stdout


def test_replay_prints_json_as_it_is_published(dog: Path) -> None:
    done = aed("replay", dog, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert {event["source"] for event in events} == {"dog.wav"}
    starts = [event["id"] for event in events if event["type"] == "start"]
    ends = [event["id"] for event in events if event["type"] == "end"]
    assert starts
    assert sorted(starts) == sorted(ends)
    assert all(event["latency_ms"] > 0 for event in events)


@pytest.mark.parametrize("arguments", [["--device", "none of that name"], ["--file", "{here}/none.wav"]])
def test_listen_says_what_is_wrong_with_its_source(tmp_path: Path, arguments: list[str]) -> None:
    done = aed("listen", *(argument.format(here=tmp_path) for argument in arguments))
    assert done.returncode == 4
    assert_one_sentence(done.stderr)


def test_listen_prints_no_json(tmp_path: Path, dog: Path) -> None:
    source = f'name = "f"\ntype = "file"\npath = "{dog}"\nrealtime = false'
    config = tmp_path / "aed.toml"
    config.write_text(toml([source], more="[output]\njsonl = true"))
    done = aed("listen", "--config", config)
    assert done.returncode == 0, done.stderr
    assert "start      dog" in done.stdout
    assert "{" not in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--json"], ["info"]])
def test_a_full_disk_behind_standard_output_is_one_sentence(dog: Path, arguments: list[str]) -> None:
    file = [dog] if arguments[0] == "replay" else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(*arguments, *file), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert_one_sentence(done.stderr)
    assert "standard output cannot be written" in done.stderr


def test_closed_standard_output_stops_no_daemon(tmp_path: Path, dog: Path) -> None:
    source = f'name = "f"\ntype = "file"\npath = "{dog}"\nrealtime = false'
    (tmp_path / "aed.toml").write_text(toml([source], more="[output]\njsonl = true"))
    run = command("run", "--config", tmp_path / "aed.toml")
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *run], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "standard_output_is_closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_of_silence_is_silent(tmp_path: Path) -> None:
    done = aed("replay", write_wav(tmp_path / "quiet.wav", quiet(3.0)))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.exists, "no such file"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_bytes(b"GIF89a" * 100), "not an audio file"),
        (lambda path: path.mkdir(), "a directory"),
    ],
)
def test_replay_says_what_is_wrong_with_a_file(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    bad = tmp_path / "bad.wav"
    make(bad)
    done = aed("replay", bad)
    assert done.returncode == 4
    assert_one_sentence(done.stderr)
    assert words in done.stderr
    assert str(bad) in done.stderr


def test_replay_uses_what_is_there_of_a_truncated_file_and_goes_on(dog: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(dog.read_bytes()[:120_000])
    done = aed("replay", cut, dog, "--json")
    assert done.returncode == 4
    assert_one_sentence(done.stderr)
    assert "cut short" in done.stderr
    sources = [json.loads(line)["source"] for line in done.stdout.splitlines()]
    assert set(sources) == {"cut.wav", "dog.wav"}


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "1e9"])
def test_replay_refuses_a_speed_that_is_none(dog: Path, speed: str) -> None:
    done = aed("replay", dog, "--speed", speed)
    assert done.returncode == 2
    assert "expected max or a number" in done.stderr


def test_engines_are_chosen_by_name(dog: Path) -> None:
    done = aed("replay", dog, "--engine", "tflite", "--json")
    assert {json.loads(line)["engine"] for line in done.stdout.splitlines()} == {"tflite"}


def broken_models() -> list[tuple[str, str]]:
    return [
        ("missing", "no such manifest"), ("no tflite", "cannot read the model"), ("cut", "not the one"),
        ("noise", "not a TensorFlow Lite model"), ("other json", "not a valid manifest"),
        ("no json", "not a valid manifest"),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), broken_models())
@pytest.mark.parametrize("how", ["replay", "run", "info"])
def test_a_broken_model_is_refused(dog: Path, tmp_path: Path, kind: str, words: str, how: str) -> None:
    model = tmp_path / "m.tflite"
    manifest = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    manifest["file"] = model.name
    shutil.copy(DEFAULT_MODEL, model)
    if kind != "missing":
        model.with_suffix(".json").write_text(json.dumps(manifest))
    if kind == "no tflite":
        model.unlink()
    elif kind == "cut":
        model.write_bytes(model.read_bytes()[:50_000])
    elif kind == "noise":
        model.write_bytes(bytes(1_000))
    elif kind == "other json":
        manifest["output"]["shape"] = [1, 12]
        model.with_suffix(".json").write_text(json.dumps(manifest))
    elif kind == "no json":
        model.with_suffix(".json").write_text("{")
    config = tmp_path / "aed.toml"
    config.write_text(toml([f'name = "f"\ntype = "file"\npath = "{dog}"'], more=f'[model]\npath = "{model}"'))
    arguments = {
        "replay": ("replay", dog, "--model", model),
        "info": ("info", "--model", model),
        "run": ("run", "--config", config),
    }[how]
    done = aed(*arguments)
    assert done.returncode == 3
    assert_one_sentence(done.stderr)
    assert words in done.stderr


def test_info(tmp_path: Path) -> None:
    facts = json.loads(aed("info", "--json").stdout)
    assert facts["model"] == "yamnet256-esc10"
    assert "dog" in facts["classes"]
    assert "yamnet256-esc10" in aed("info").stdout


def test_check_config(tmp_path: Path) -> None:
    config = tmp_path / "aed.toml"
    config.write_text(toml(['name = "porch"\ntype = "microphone"']))
    done = aed("check-config", config)
    assert done.returncode == 0
    assert "good" in done.stdout
    config.write_text(toml(['name = "porch"\ntype = "microphone"\nrate = 16000']))
    done = aed("check-config", config)
    assert done.returncode == 2
    assert f"{config}:" in done.stderr
    assert "rate" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_config_asks_the_model_for_its_classes(tmp_path: Path) -> None:
    config = tmp_path / "aed.toml"
    config.write_text(
        toml(['name = "p"\ntype = "microphone"']) + "[detection.classes.dgo]\nenabled = false\n"
    )
    done = aed("check-config", config)
    assert done.returncode == 2
    assert "dgo" in done.stderr


@pytest.mark.parametrize("command_name", ["check-config", "run --config"])
@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("mqtt.password_file", 'username = "u"\npassword_file = "none"'),
        ("mqtt.tls.ca_file", '[mqtt.tls]\nenabled = true\nca_file = "none"'),
    ],
)
def test_a_missing_password_or_certificate_is_a_fault_of_its_line(
    tmp_path: Path, command_name: str, key: str, more: str
) -> None:
    config = tmp_path / "aed.toml"
    text = (
        f'[[source]]\nname = "scape"\ntype = "demo"\n[log]\nlevel = "error"\n[mqtt]\nenabled = true\n{more}\n'
    )
    config.write_text(text)
    done = aed(*command_name.split(), config)
    assert done.returncode == 2
    line = text.splitlines().index(more.splitlines()[-1]) + 1
    assert f"{config}:{line}: {key}: cannot read {tmp_path}/none" in done.stderr
    assert_one_sentence(done.stderr)


def test_check_config_can_connect(tmp_path: Path) -> None:
    config = tmp_path / "aed.toml"
    config.write_text(toml(['name = "porch"\ntype = "microphone"'], port=free_port()))
    done = aed("check-config", config, "--connect")
    assert done.returncode == 5
    assert "127.0.0.1" in done.stderr


def test_no_configuration_is_said(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "AED_CONFIG": str(tmp_path / "none.toml")}
    for name in ("run", "check-config"):
        done = aed(name, env=env)
        assert done.returncode == 2
        assert_one_sentence(done.stderr)


def test_listen_prints_lines_where_there_is_no_terminal(dog: Path) -> None:
    done = aed("listen", "--file", dog)
    assert done.returncode == 0, done.stderr
    assert any(line.split()[:2] == ["start", "dog"] for line in done.stdout.splitlines()), done.stdout


def test_doctor_fails_as_the_first_thing_that_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "aed.toml"
    config.write_text(toml(['name = "scape"\ntype = "demo"'], free_port()))
    assert aed("doctor", "--config", config).returncode == 5
    config.write_text(toml(['name = "scape"\ntype = "none"']))
    assert aed("doctor", "--config", config).returncode == 2


def test_doctor_tells_everything_and_never_fails_with_a_traceback(tmp_path: Path) -> None:
    done = aed("doctor", env={"HOME": str(tmp_path), "AED_CONFIG": str(tmp_path / "none.toml")})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "engine" in done.stdout
