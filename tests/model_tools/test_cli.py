"""The commands as a user has them: a tiny training run, its int8 model, the daemon's engines on it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.errors import ModelError
from aed_daemon.inference import available_engines
from aed_daemon.manifest import load_manifest
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.cli import main
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.clips import Engine, int8_scores, run_scores
from model_tools.quantize import operators


def run_command(*arguments: object) -> dict[str, Any]:
    """Run model-tools in its own process, as a user does; return what it prints."""
    command = [sys.executable, "-m", "model_tools", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def trained(
    tiny_data: Path, tmp_path_factory: pytest.TempPathFactory, tensorflow: Executor
) -> tuple[Path, list[str]]:
    base = tmp_path_factory.mktemp("run")
    shared = ["--data", str(tiny_data), "--cache", str(base / "cache")]
    short = ["--epochs", "2", "--crops", "32", "--batch", "16", "--width", "0.5"]
    result = run_command("train", "--fold", "2", "--run", base / "fold2", *short, *shared)
    assert result["epochs"] == 3  # a stage of two, a closing of one
    return base / "fold2", shared


@pytest.fixture(scope="module")
def model(trained: tuple[Path, list[str]]) -> Path:
    run, shared = trained
    run_command("quantize", run, "--out", run / "tiny.tflite", *shared)
    return run / "tiny.tflite"


def test_a_run_explains_itself(trained: tuple[Path, list[str]]) -> None:
    run, _ = trained
    config = json.loads((run / "config.json").read_text())
    assert config["held_out"]["fold"] == 2
    assert config["spec_id"] == SPEC.spec_id
    assert config["recipe"]["epochs"] == 2
    assert all(name.startswith("1-") for name in config["clips"])
    assert (run / "history.csv").read_text().splitlines()[0] == "epoch,loss,accuracy,elapsed_s"


def test_the_manifest_says_what_the_model_is(model: Path) -> None:
    manifest = load_manifest(model)
    assert manifest.slugs == (*SLUGS, "background")
    assert manifest.input.shape == (1, 64, 96, 1)
    assert manifest.input.layout == "mels_frames"
    assert manifest.spec == SPEC
    assert {label.slug for label in manifest.labels if label.mode == "confirm"} >= {"rain", "sea_waves"}
    assert manifest.provenance.held_out == "ESC-10 fold 2"
    assert sum(source.share for source in manifest.provenance.data) == pytest.approx(1.0, abs=1e-3)
    assert "CC-BY-4.0" in {source.licence for source in manifest.provenance.data}


def test_the_input_range_begins_at_digital_silence(model: Path) -> None:
    tensor = load_manifest(model).input
    lowest = tensor.scale * (-128 - tensor.zero_point)
    assert lowest == pytest.approx(np.log(SPEC.log_offset), abs=tensor.scale)


def test_the_first_operator_transposes_and_the_last_is_the_softmax(model: Path, tensorflow: Executor) -> None:
    names = tensorflow.submit(operators, model.read_bytes()).result()
    assert names == [
        "TRANSPOSE", "CONV_2D", *["DEPTHWISE_CONV_2D", "CONV_2D"] * 5, "MEAN", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip


@pytest.mark.parametrize("engine", available_engines())
def test_every_engine_agrees_with_the_float_network(
    model: Path, trained: tuple[Path, list[str]], engine: Engine
) -> None:
    patches = np.random.default_rng(0).uniform(-9.0, 3.0, (8, 96, 64)).astype(np.float32)
    expected = run_scores(trained[0], SPEC)(patches)
    with int8_scores(model, engine) as (scores, used):
        assert used == engine
        assert np.abs(scores(patches) - expected).max() < 0.1


def test_evaluate_prints_json(model: Path, trained: tuple[Path, list[str]]) -> None:
    run, shared = trained
    result = run_command("evaluate", "--run", run, "--model", model, *shared)
    assert result["fold"] == 2
    assert result["float"]["n"] == 10
    assert any(key.startswith("int8_") for key in result)


def test_a_damaged_model_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_bytes(model.with_suffix(".json").read_bytes())
    (tmp_path / "tiny.tflite").write_bytes(model.read_bytes()[:-8])
    with (
        pytest.raises(ModelError, match="not the one that its manifest describes"),
        int8_scores(tmp_path / "tiny.tflite", "auto"),
    ):
        pass


def test_a_fold_that_was_trained_on_is_not_evaluated(
    trained: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, shared = trained
    assert main(["evaluate", "--run", str(run), "--fold", "1", *shared]) == 1
    assert "fold 1: the fold was not left out" in capsys.readouterr().err


def test_a_teacher_that_has_seen_the_fold_is_refused(
    trained: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, shared = trained
    assert main(["train", "--fold", "1", "--teachers", str(run), *shared]) == 1
    assert "left out: ESC-10 fold 1, got ESC-10 fold 2" in capsys.readouterr().err
    assert main(["train", "--fold", "2", "--teachers", str(run), "--activation", "sigmoid", *shared]) == 1
    assert "the teacher's outputs mean something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "--data", "/nowhere"], 4, "no such data"),
        (["train", "--crops", "100", "--batch", "64"], 1, "a multiple of 64"),
        (["quantize", "/nowhere"], 3, "no training run here"),
        (["train", "--frozen"], 1, "random weights cannot be frozen"),
        (["train", "--patience", "2"], 1, "Give --validation-fold too"),
        (["evaluate", "--all", "--networks", "/nowhere"], 1, "/nowhere: there are no networks"),
        (["evaluate"], 1, "Give --run, --model or both"),
        (["evaluate", "--model", "/nowhere/x.tflite"], 3, "no such manifest"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments", [["train", "--fold", "7"], ["train", "--epochs", "0"], ["nonsense"], []]
)
def test_a_bad_command_line_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom model_tools.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'rich', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert time.monotonic() - started < 10.0


def test_independent_outputs_reach_the_device(
    trained: tuple[Path, list[str]], tmp_path: Path, tensorflow: Executor
) -> None:
    _, shared = trained
    short = ["--epochs", "1", "--crops", "32", "--batch", "16", "--width", "0.25"]
    run_command("train", "--fold", "2", "--run", tmp_path, "--activation", "sigmoid", *short, *shared)
    run_command("quantize", tmp_path, "--out", tmp_path / "free.tflite", *shared)
    model = tmp_path / "free.tflite"
    assert load_manifest(model).activation == "sigmoid"
    assert tensorflow.submit(operators, model.read_bytes()).result()[-1] == "LOGISTIC"
    patches = np.random.default_rng(0).uniform(-9.0, 3.0, (8, 96, 64)).astype(np.float32)
    expected = run_scores(tmp_path, SPEC)(patches)
    assert not np.allclose(expected.sum(axis=1), 1.0)
    with int8_scores(model, "auto") as (scores, _):
        assert np.abs(scores(patches) - expected).max() < 0.1
