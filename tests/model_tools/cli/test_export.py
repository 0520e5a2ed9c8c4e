"""The commands export, targets and verify as a user has them; a network of one's own, half as wide."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.cli import main
from model_tools.cli.export import budgets
from model_tools.data import babble
from tests.model_tools.export.compilers import need, need_host
from tests.model_tools.export.exports import exported, program
from tests.model_tools.own_sounds import RATE_HZ, SOUNDS, recording

QUICK = ("--no-emulator",)


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    captured = capsys.readouterr()
    return dict(json.loads(captured.out)), captured.err


def test_targets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    found, table = printed(capsys)
    assert found["stm32u5"]["ram_bytes"] == 786_432
    assert found["host"]["clock_hz"] is None
    assert "stm32l0" in table
    assert len({line.rindex("Cortex") for line in table.splitlines() if "Cortex" in line}) == 1


def test_an_export_for_the_recommended_part_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_host()
    need("arm-none-eabi-gcc", "qemu-system-arm")
    out = tmp_path / "u5"
    assert main(["export", "--target", "stm32u5", "--out", str(out)]) == 0
    found, said = printed(capsys)
    assert found["load"] <= 0.8
    assert found["ram_bytes"] <= 84_000
    assert found["flash_bytes"] < 200_000
    assert f"{out}/report.txt says more" in said
    report = json.loads((out / "report.json").read_text())
    assert report["target"]["core"] == "m33"
    assert report["flash"]["method"].startswith("compiled for m33")
    assert report["model"]["sha256"] == load_manifest(DEFAULT_MODEL).sha256
    # Windows that overlap, as often as the daemon decides.
    assert (report["mode"], report["hop_frames"]) == ("incremental", 24)
    measured = report["measured"]
    assert measured["difference"] == ""
    assert 9e6 < measured["network_instructions"] < 12e6
    assert measured["network_instructions_per_audio_s"] == pytest.approx(
        measured["network_instructions"] * 100 / 24, abs=1
    )
    assert f"{measured['step_instructions_max']:,}" in (out / "report.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--target", "stm32f1"], 1, "stm32f1: no such target"),
        (["--target", "stm32l0"], 1, "stm32l0: --mode patch --hop 96 does not fit: expected at most 80% of"),
        (["--target", "stm32l4", "--hop", "24"], 1, "The load would fit with --mode incremental --hop 32"),
        (["--target", "host", "--mode", "stream", "--hop", "24"], 1, "--hop: in stream mode"),
        (["--target", "host", "--fit", "ram=20k"], 1, "expected at most 20,000 B of RAM"),
        (["--target", "host", "--model", "/nowhere/x.tflite"], 3, "/nowhere/x.json: no such manifest"),
        (["--target", "host", "--config", "/nowhere/aed.toml"], 2, "/nowhere/aed.toml"),
        (["--target", "stm32mp1", "--mode", "stream"], 1, "--mode: the daemon listens in patches"),
        (["--target", "stm32mp1", "--fit", "ram=1M"], 1, "--fit: a bundle for the daemon has no budgets"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    arguments: list[str], code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--out", str(tmp_path / "out"), *QUICK, *arguments]) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_tflite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(b"no model")
    manifest = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps({**manifest, "file": model.name}))
    assert main(["export", "--target", "host", "--model", str(model), "--out", str(tmp_path / "out")]) == 3
    assert "m.tflite: not a TensorFlow Lite model" in capsys.readouterr().err


def test_an_existing_export_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    need_host()
    assert main(["export", "--target", "host", "--out", str(exported("patch"))]) == 1
    assert "the folder exists. Give another one, or --force to replace it." in capsys.readouterr().err


def test_a_configurations_hop_and_thresholds_are_taken(tmp_path: Path) -> None:
    need_host()
    config, out = tmp_path / "aed.toml", tmp_path / "out"
    config.write_text(
        '[[source]]\nname = "porch"\ntype = "microphone"\n'
        "[detection]\nhop_frames = 48\n[detection.loud_sound]\nenabled = false\n"
        "[detection.classes.dog]\nenabled = false\n"
    )
    assert main(["export", "--target", "host", "--config", str(config), "--out", str(out), *QUICK]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["hop_frames"] == 48
    assert not [event for event in report["known_answers"]["events"] if "loud_sound" in event]
    rules = (out / "src" / "aed_rules.h").read_text()
    assert "#define AED_LOUD_ENABLED 0" in rules
    followed, all_followed = (
        int(re.findall(r"AED_FOLLOWED (\d+)", text)[0])
        for text in (rules, (exported("patch") / "src" / "aed_rules.h").read_text())
    )
    assert followed == all_followed - 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ram=64k", {"ram": 64_000}),
        ("ram=64Ki,flash=1.5Mi", {"ram": 65_536, "flash": 1_572_864}),
        ("clock=80M, ram=10", {"clock": 80_000_000, "ram": 10}),
    ],
)
def test_budgets_are_read(text: str, found: dict[str, int]) -> None:
    assert budgets(text) == found


@pytest.mark.parametrize(
    "text", ["", "ram", "ram=", "ram=64kb", "rom=1", "ram=1,ram=2", "ram=-1", "flash=1K"]
)
def test_budgets_that_say_nothing(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["export", "--target", "host", "--out", str(tmp_path / "out"), "--fit", text])
    assert stopped.value.code == 2
    assert "such as 64k" in capsys.readouterr().err


def test_verify_fails_where_something_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 1
    assert "no export here" in capsys.readouterr().err
    out = tmp_path / "bundle"
    assert main(["export", "--target", "stm32mp1", "--out", str(out)]) == 0
    assert main(["verify", str(out)]) == 0
    capsys.readouterr()
    config = out / "aed.toml"
    config.write_text(config.read_text().replace("yamnet256-esc10.tflite", "other.tflite"))
    assert main(["verify", str(out)]) == 1
    captured = capsys.readouterr()
    assert "the export does not compute what it should" in captured.err
    assert captured.out == ""


def run_command(folder: Path, *arguments: object) -> None:
    """Run model-tools in its own process: PyTorch and TensorFlow stay in it."""
    command = [sys.executable, "-m", "model_tools", *map(str, arguments)]
    environment = {**os.environ, "AED_DATA_DIR": str(folder / "none")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of half the width for two classes of one's own, hardly trained."""
    for library in ("torch", "tensorflow"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed (pip install .[tools])")
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(1)
    for slug in ("doorbell", "knocking"):
        (folder / "sounds" / slug).mkdir(parents=True)
        for number in range(4):
            soundfile.write(folder / "sounds" / slug / f"{number}.wav", recording(rng, SOUNDS[slug]), RATE_HZ)
    # Noise in place of the speech that is trained against: to synthesise it takes most of a minute.
    voices = folder / "cache" / f"babble-{babble._VERSION}"
    voices.mkdir(parents=True)
    for number in range(babble._VOICES):
        soundfile.write(voices / f"voice-{number:02}.wav", rng.normal(0.0, 0.05, 2 * RATE_HZ), RATE_HZ)
    cache = ("--cache", folder / "cache", "--data", folder / "sounds")
    short = ("--epochs", 1, "--crops", 16, "--batch", 16, "--width", 0.5, "--no-check")
    run_command(folder, "train", "--run", folder / "run", *short, *cache)
    run_command(folder, "quantize", folder / "run", "--out", folder / "half.tflite", *cache)
    return folder / "half.tflite"


@pytest.mark.timeout(600)
def test_a_half_width_network_for_two_classes_is_smaller(half: Path, tmp_path: Path) -> None:
    need_host()
    out = tmp_path / "out"
    assert main(["export", "--target", "host", "--model", str(half), "--out", str(out), *QUICK]) == 0
    ours = json.loads((out / "report.json").read_text())
    whole = json.loads((exported("patch") / "report.json").read_text())
    assert ours["model"]["classes"] == ["doorbell", "knocking", "background"]
    assert ours["macs_per_patch"] < 0.35 * whole["macs_per_patch"]
    assert ours["flash"]["weights_bytes"] < 0.35 * whole["flash"]["weights_bytes"]
    assert ours["flash"]["total_bytes"] < 0.5 * whole["flash"]["total_bytes"]
    assert ours["ram"]["network_bytes"] < 0.6 * whole["ram"]["network_bytes"]
    assert ours["ram"]["total_bytes"] < whole["ram"]["total_bytes"]
    built = program(out, out / "test" / "known_answers.c", tmp_path)
    assert subprocess.run([str(built)], check=False).returncode == 0


@pytest.mark.timeout(600)
def test_a_half_width_network_is_verified_on_every_core(
    half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_host()
    need("arm-none-eabi-gcc", "qemu-system-arm")
    out = tmp_path / "out"
    assert main(["export", "--target", "stm32u5", "--model", str(half), "--out", str(out), *QUICK]) == 0
    capsys.readouterr()
    assert main(["verify", str(out), "--model", str(half), "--patches", "3"]) == 0
    found, table = printed(capsys)
    assert {core["difference"] for core in found["cores"].values()} == {""}
    assert found["network"]["differing"] == 0
    assert table.count("equal") == 5
