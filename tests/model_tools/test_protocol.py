from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.errors import AedError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.cli import _parser, main
from model_tools.cli import protocol as cli
from model_tools.cli.train import recipe_of
from model_tools.data.esc10 import SLUGS
from model_tools.protocol import (
    DEFAULT,
    FALSE_ALARMS_PER_HOUR,
    FOLDS,
    ROTATIONS,
    SEEDS,
    Job,
    calibration,
    commands,
    jobs,
)


def test_every_recipe_has_every_fold_and_seed() -> None:
    names = [job.name for job in jobs()]
    assert len(names) == len(set(names))
    for recipe in ("scratch", "distilled", "pretrained"):
        for fold in FOLDS:
            for seed in SEEDS:
                assert f"{recipe}/fold{fold}-seed{seed}" in names
    assert DEFAULT in names


def test_a_teacher_comes_first_and_saw_the_same() -> None:
    done: dict[str, Job] = {}
    for job in jobs():
        for teacher in job.teachers:
            assert done[teacher].held_out == job.held_out
        done[job.name] = job


def test_the_shipped_weights_start_from_nothing() -> None:
    shipped = next(job for job in jobs() if job.name == DEFAULT)
    assert not shipped.pretrained
    assert not str(shipped.held_out)


def test_every_class_is_a_stranger_once_and_each_rotation_leaves_out_its_fold() -> None:
    assert set(Counter(slug for rotation in ROTATIONS for slug in rotation)) == set(SLUGS)
    assert all(len(rotation) == 3 for rotation in ROTATIONS)
    open_set = [job for job in jobs() if job.name.startswith("openset/")]
    assert [job.held_out.fold for job in open_set] == list(FOLDS)


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.name)
def test_the_command_line_asks_for_the_very_recipe(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train, quantize = commands(job, ["--cache", "c"], Path("backbone.h5"))
    arguments = _parser().parse_args(train)
    assert recipe_of(arguments) == job.recipe
    assert arguments.fold == job.held_out.fold
    assert tuple(arguments.leave_out) == job.held_out.slugs
    assert (arguments.weights is not None) == job.pretrained
    assert _parser().parse_args(quantize).out == job.model


def test_thresholds_come_from_clips_that_neither_network_nor_test_saw() -> None:
    models = {job.name: job for job in jobs()}
    deployed = [job for job in jobs() if job.deployed]
    assert {job.name.partition("/")[0] for job in deployed} == {"distilled", "default"}
    for job in deployed:
        arguments = _parser().parse_args(calibration(job, ["--cache", "c"]))
        assert arguments.model == job.model
        assert arguments.false_alarms_per_hour == FALSE_ALARMS_PER_HOUR
        assert arguments.peers == [models[peer].model for peer in job.peers]
        folds = {models[peer].held_out.fold for peer in job.peers}
        assert folds == set(FOLDS) - {job.held_out.fold}
        assert {models[peer].recipe.seed for peer in job.peers} == {job.recipe.seed}


def test_only_what_is_missing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = next(job for job in jobs() if job.name == "distilled/fold1-seed2")

    def steps() -> list[str]:
        return [command[0] for command in commands(job, [], Path("backbone.h5"))]

    assert steps() == ["train", "quantize"]
    job.run.mkdir(parents=True)
    facts = {"recipe": asdict(job.recipe), "held_out": asdict(job.held_out)}
    (job.run / "config.json").write_text(json.dumps(facts))
    (job.run / "network.npz").write_bytes(b"")
    assert steps() == ["quantize"]
    shipped = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    job.model.parent.mkdir(parents=True)
    shutil.copy(DEFAULT_MODEL, job.model)
    provenance = shipped["provenance"] | {"seed": 2, "held_out": "ESC-10 fold 1"}
    metrics: dict[str, Any] = {"recipe": {"sha256": job.digest}}
    told = shipped | {"file": job.model.name, "provenance": provenance, "metrics": metrics}
    job.model.with_suffix(".json").write_text(json.dumps(told))
    assert steps() == []
    assert not job.made
    metrics["calibration"] = {}
    job.model.with_suffix(".json").write_text(json.dumps(told))
    assert job.made
    metrics["recipe"] = {"sha256": "of another recipe"}
    job.model.with_suffix(".json").write_text(json.dumps(told))
    assert steps()[0] == "quantize"


def test_the_list_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    folder = tmp_path / "evaluation" / "scratch"
    folder.mkdir(parents=True)
    recipes = {job.name: job.digest for job in jobs()}
    for seed, held_out in ((2, "ESC-10 fold 1"), (3, "ESC-10 fold 5")):
        model = folder / f"fold1-seed{seed}.tflite"
        shutil.copy(DEFAULT_MODEL, model)
        provenance = shipped["provenance"] | {"seed": seed, "held_out": held_out}
        metrics = {"recipe": {"sha256": recipes[f"scratch/fold1-seed{seed}"]}}
        facts = shipped | {"file": model.name, "provenance": provenance, "metrics": metrics}
        model.with_suffix(".json").write_text(json.dumps(facts))
    assert main(["protocol", "--list", "--only", "scratch/fold1-*"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"made": 1, "missing": ["scratch/fold1-seed1", "scratch/fold1-seed3"]}
    assert main(["protocol", "--list", "--only", "distilled/fold2-seed3"]) == 0
    found = json.loads(capsys.readouterr().out)
    teachers = ["pretrained/fold2-seed3", "scratch/fold2-seed3"]
    assert found == {"made": 0, "missing": [*teachers, "distilled/fold2-seed3"]}
    assert main(["protocol", "--list", "--only", "nonsense"]) == 1
    assert "no network has such a name" in capsys.readouterr().err


def test_a_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = next(job for job in jobs() if job.name == "scratch/fold1-seed2")
    assert not job.trained
    job.run.mkdir(parents=True)
    facts = {"recipe": asdict(job.recipe), "held_out": asdict(job.held_out)}
    (job.run / "config.json").write_text(json.dumps(facts))
    assert not job.trained
    (job.run / "network.npz").write_bytes(b"")
    assert job.trained
    (job.run / "config.json").write_text(json.dumps(facts | {"recipe": asdict(replace(job.recipe, seed=9))}))
    assert not job.trained


def test_several_at_once_wait_for_their_teachers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []

    def make(job: Job, _: object) -> None:
        told.append(f"begin {job.name}")
        time.sleep(0.2 if job.pretrained else 0.0)
        if job.name == "distilled/fold2-seed1":
            raise AedError("the disk is full")
        told.append(f"end {job.name}")

    monkeypatch.setattr(cli, "_make", make)
    assert main(["protocol", "--only", "*/fold1-seed1", "--at-once", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert told.index("end pretrained/fold1-seed1") < told.index("begin distilled/fold1-seed1")
    assert told.index("begin scratch/fold1-seed1") < told.index("end pretrained/fold1-seed1")
    told.clear()
    assert main(["protocol", "--only", "distilled/fold?-seed1"]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert "end distilled/fold1-seed1" in told
    assert "begin distilled/fold5-seed1" not in told
