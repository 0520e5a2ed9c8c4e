from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from model_tools.cli import main

RATE = 16_000


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two classes of six clips, three recordings each, and two negatives."""
    root, rng = tmp_path / "own", np.random.default_rng(1)
    rows = ["file,label,source,licence"]
    for number in range(6):
        rows += [f"{slug}{number}.wav,{slug},{slug}-{number // 2},CC0-1.0" for slug in ("bell", "saw")]
    rows += [f"other{number}.wav,background,,CC-BY-4.0" for number in range(2)]
    root.mkdir()
    for row in rows[1:]:
        soundfile.write(root / row.partition(",")[0], rng.normal(0, 0.1, 2 * RATE), RATE)
    (root / "sounds.csv").write_text("\n".join(rows) + "\n")
    return root


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any], str]:
    code = main(["prepare", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


def test_a_table_becomes_frames_and_a_summary(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, said = run(capsys, "--data", own, "--out", tmp_path / "out", "--folds", "3")
    assert code == 0
    assert "error" not in said
    assert "warning" not in said
    assert told["layout"] == "csv"
    assert told["classes"] == {"bell": {"clips": 6, "seconds": 12.0}, "saw": {"clips": 6, "seconds": 12.0}}
    assert told["background"] == {"clips": 2, "seconds": 4.0}
    assert told["licences"] == {"CC-BY-4.0": 2, "CC0-1.0": 12}
    assert (told["redistributable"], told["leaks"]) == (True, 0)
    assert (told["decoded"], told["kept"], told["left_out"]) == (14, 0, 0)
    index = json.loads((tmp_path / "out" / "prepared.json").read_text())
    folds = {clip["source"]: clip["fold"] for clip in index["clips"] if clip["slug"]}
    assert all(folds[clip["source"]] == clip["fold"] for clip in index["clips"] if clip["slug"])
    assert sorted(folds.values()) == [1, 1, 2, 2, 3, 3]


def test_a_second_run_decodes_what_changed_only(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data", own, "--out", tmp_path / "out", "--folds", "3")
    run(capsys, *arguments)
    soundfile.write(own / "bell0.wav", np.random.default_rng(9).normal(0, 0.1, RATE * 2), RATE)
    _, told, _ = run(capsys, *arguments)
    assert (told["decoded"], told["kept"]) == (1, 13)


def test_errors_end_it_until_they_are_mended_or_skipped(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "bell5.wav").write_bytes(b"no sound")
    soundfile.write(own / "saw5.wav", np.zeros(2 * RATE), RATE)
    arguments = ("--data", own, "--out", tmp_path / "out", "--folds", "3")
    code, told, said = run(capsys, *arguments)
    assert (code, told) == (4, {})
    assert f"error: {own}/bell5.wav: not an audio file" in said
    assert f"error: {own}/saw5.wav: is silent" in said
    assert "model-tools: 2 errors are told above" in said
    assert "--skip-bad" in said
    assert not (tmp_path / "out" / "prepared.json").exists()
    code, told, _ = run(capsys, *arguments, "--skip-bad")
    assert code == 0
    assert (told["errors"], told["left_out"], told["kept"]) == (2, 2, 13)
    assert {slug: row["clips"] for slug, row in told["classes"].items()} == {"bell": 5, "saw": 5}


def test_folds_that_divide_a_recording_are_refused(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (own / "sounds.csv").read_text().splitlines()
    folds = [f"{line},{1 + number % 2}" for number, line in enumerate(lines[1:])]
    folds[2] = folds[2][:-1] + "2"
    (own / "sounds.csv").write_text("\n".join([f"{lines[0]},fold", *folds]) + "\n")
    arguments = ("--data", own / "sounds.csv", "--out", tmp_path / "out")
    code, told, said = run(capsys, *arguments)
    assert (code, told) == (1, {})
    assert "have clips on both sides of the split, the first is bell-0" in said
    code, told, said = run(capsys, *arguments, "--allow-leaks")
    assert (code, told["leaks"]) == (0, 2)
    assert "warning: fold 1: recording bell-0: " in said


def test_classes_are_chosen(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, "--data", own, "--classes", "bell", "--out", tmp_path / "out", "--folds", "3")
    assert (code, list(told["classes"])) == (0, ["bell"])
    code, _, said = run(capsys, "--data", own, "--classes", "bell,horn", "--out", tmp_path / "out")
    assert code == 4
    assert "no sounds of the class horn: expected bell, saw" in said


def test_non_commercial_clips_are_not_redistributable(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = own / "sounds.csv"
    table.write_text(table.read_text().replace("bell-0,CC0-1.0", "bell-0,CC-BY-NC-3.0"))
    _, told, _ = run(capsys, "--data", own, "--out", tmp_path / "out", "--folds", "3")
    assert told["redistributable"] is False


def test_esc10_keeps_its_folds(tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, "--data", tiny_data, "--out", tmp_path)
    assert (code, told["layout"], told["folds"]) == (0, "esc10", {"1": 10, "2": 10})
    assert len(told["classes"]) == 10


def test_only_negatives_are_nothing_to_learn_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "background").mkdir()
    soundfile.write(
        tmp_path / "background" / "a.wav", np.random.default_rng(0).normal(0, 0.1, RATE * 2), RATE
    )
    code, _, said = run(capsys, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "nothing is left to learn from" in said
