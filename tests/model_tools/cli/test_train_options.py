"""What `train` says to options that do not go together, and to a base that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.cli import main
from tests.model_tools.own_sounds import write_set


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds") / "my_sounds"
    write_set(root, clips=1, seed=3)
    return root


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--unfreeze"], 1, "--unfreeze: nothing is frozen. Give --base too."),
        (["--base", "default", "--width", "0.5"], 1, "--width: the weights have the width that they have"),
        (["--base", "/nowhere/x.tflite"], 3, "/nowhere/x.json: no such manifest"),
        (["--base", "/nowhere"], 3, "/nowhere: no training run here"),
        (["--base", "default", "--fold", "1"], 1, "--fold: the sounds have no folds"),
        (["--base", "default", "--teachers", "x"], 1, "--teachers, --leave-out: only for ESC-10"),
        (["--base", "default", "--classes", "kettle"], 4, "no sounds of the class kettle"),
        (["--layout", "csv"], 4, "which table?"),
    ],
)
def test_a_mistake_is_one_sentence(
    sounds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    shared = ["--data", str(sounds), "--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    assert main(["train", *shared, *arguments]) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert not (tmp_path / "run").exists()


def test_there_is_one_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--base", str(DEFAULT_MODEL), "--weights", "x.h5"])
    assert stopped.value.code == 2
    assert "not allowed with argument --base" in capsys.readouterr().err
