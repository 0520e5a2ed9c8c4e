"""`model-tools calibrate` on the shipped network and minutes of synthesised sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.inference import available_engines
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.cli import main

ENGINE = available_engines()[0]
Command = Callable[..., int]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped network that says that it has not seen fold 2."""
    shutil.copy(DEFAULT_MODEL, tmp_path)
    values = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    values["provenance"]["held_out"] = "ESC-10 fold 2"
    (tmp_path / DEFAULT_MODEL.name).with_suffix(".json").write_text(json.dumps(values))
    return tmp_path / DEFAULT_MODEL.name


@pytest.fixture
def calibrate(model: Path, tiny_data: Path, tmp_path: Path) -> Command:
    """Run the command on a tenth of an hour of synthesised sound."""

    def run(*options: object) -> int:
        places = ["--data", str(tiny_data), "--cache", str(tmp_path / "cache")]
        engine = [] if "--peers" in options else ["--backend", ENGINE]
        return main(["calibrate", str(model), "--hours", "0.0167", *places, *engine, *map(str, options)])

    return run


def test_the_thresholds_are_written_to_the_manifest(
    calibrate: Command, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_manifest(model)
    assert calibrate("--false-alarms-per-hour", 100, "--lowest", 0.55) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)[ENGINE]
    after = load_manifest(model)
    used = after.for_engine(exact=ENGINE == "tflite")
    assert told["met"]
    assert told["hours"] == {"real": 0.0, "synthetic": 0.1}
    assert {label.slug: round(label.threshold_on, 4) for label in used.labels[:-1]} == told["thresholds"]
    assert min(told["thresholds"].values()) == pytest.approx(0.55, abs=1 / 256)
    kind = "exact" if ENGINE == "tflite" else "xnnpack"
    assert after.metrics["calibration"][kind]["false_alarms_per_hour"] == 100
    assert {k: v for k, v in after.metrics.items() if k != "calibration"} == {
        k: v for k, v in before.metrics.items() if k != "calibration"
    }
    assert after.provenance == before.provenance


def test_a_budget_that_cannot_be_met_changes_nothing_unless_told(
    calibrate: Command, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from model_tools.evaluation import calibrate as module

    choose = module.choose

    def beyond_its_means(material: module.Material, per_hour: float) -> module.Choice:
        material.alarms[0, 0] = 7  # a dog that no threshold silences
        return choose(material, per_hour)

    monkeypatch.setattr(module, "choose", beyond_its_means)
    before = model.with_suffix(".json").read_bytes()
    assert calibrate("--false-alarms-per-hour", 100) == 1
    says = "no thresholds keep to 100 false alarms per hour; at the closest (real + synthesised): dog 7 + 0"
    assert says in capsys.readouterr().err
    assert model.with_suffix(".json").read_bytes() == before
    assert calibrate("--false-alarms-per-hour", 100, "--best-effort") == 0
    assert says in capsys.readouterr().err
    assert model.with_suffix(".json").read_bytes() != before


def test_too_little_sound_is_told_before_it_is_listened_to(
    calibrate: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate() == 1
    assert "too few hours of negatives to show 0.5 false alarms per hour: expected at least 6.0 h" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("2-1002-A", "clips of fold 2, which is left out for the test, must choose nothing"),
        ("9-1-A", "no such clip of a class that the network knows: got 9-1-A"),
    ],
)
def test_clips_that_must_choose_nothing_are_refused(
    calibrate: Command, tmp_path: Path, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clips.txt").write_text(f"1-1001-A\n{name}\n")
    assert calibrate("--clips", tmp_path / "clips.txt") == 1
    assert says in capsys.readouterr().err


def peer_of(model: Path, held_out: str) -> Path:
    """Return a copy of a network that says that it has not seen something else."""
    peer = model.with_name("peer.tflite")
    shutil.copy(model, peer)
    values = json.loads(model.with_suffix(".json").read_text())
    values["file"] = peer.name
    values["provenance"]["held_out"] = held_out
    peer.with_suffix(".json").write_text(json.dumps(values))
    return peer


def test_peers_lend_the_clips_that_they_left_out(
    calibrate: Command, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = peer_of(model, "ESC-10 fold 1")
    assert calibrate("--false-alarms-per-hour", 100, "--peers", peer, model) == 0
    assert "xnnpack" not in model.with_suffix(".json").read_text().replace('"xnnpack": null', "")
    told = load_manifest(model).metrics["calibration"]
    assert list(told) == ["all"]
    assert told["all"]["validation_clips"] == 10  # of fold 1; those of fold 2 are this network's test
    assert told["all"]["peers"] == 2
    assert 0.0 <= told["all"]["validation_recall"] <= 1.0


def test_a_peer_that_left_nothing_out_is_refused(
    calibrate: Command, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate("--peers", peer_of(model, "")) == 1
    assert "peer.tflite: a network that left no fold out has no clips to tell of" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--false-alarms-per-hour", "0"], ["--lowest", "1"], ["--backend", "c"]])
def test_a_bad_option_exits_with_2(calibrate: Command, options: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        calibrate(*options)
    assert stopped.value.code == 2
