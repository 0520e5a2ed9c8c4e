"""A few thousand inputs for every parser; `python -m benchmarks fuzz` tries more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aed_daemon.config import Config
from aed_daemon.errors import AedError
from aed_daemon.inference import available_engines
from benchmarks import fuzz
from tests.fuzz import Case, clean, config, model, sound

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("case", "count"),
    [
        (config.case, 1_500),
        (sound.recording, 1_000),
        (sound.pcm, 2_000),
        (sound.messages, 2_000),
        (model.manifest, 1_000),
        (model.structure, 1_000),
    ],
    ids=["configuration", "recording", "raw PCM", "messages of the capture process", "manifest", ".tflite"],
)
def test_any_input_is_taken_or_refused_in_words(case: Case, count: int, tmp_path: Path) -> None:
    accepted = sum(case(seed, tmp_path) for seed in range(count))
    assert 0 < accepted < count, "the inputs must reach both sides of the parser"


@pytest.mark.parametrize("engine", ["litert", "tflite"])
def test_no_runtime_is_led_astray(engine: str) -> None:
    """Models that lie, with manifests that fit them: a runtime that crashes takes the process along."""
    if engine not in available_engines():
        pytest.skip(f"{engine} is not installed; make install brings it")
    command = [sys.executable, "-m", "tests.fuzz.load_models", engine, "0", "150"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *_, last = done.stdout.splitlines()
    assert done.returncode == 0, f"at seed {last}: {done.returncode}\n{done.stderr[-2_000:]}"
    assert int(last.removeprefix("ran ")) > 10


def test_a_case_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Config:
        raise KeyError("a bug")

    monkeypatch.setattr(Config, "model_validate", broken)
    with pytest.raises(KeyError):
        sum(config.case(seed, tmp_path) for seed in range(100))
    with pytest.raises(AssertionError):
        clean(AedError("no place"))


def test_the_long_run_counts_what_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_at_3(seed: int, folder: Path) -> bool:
        return 1 // (seed - 3) == 0

    assert fuzz.attempts(breaks_at_3, 10, 0) == (5, 1)
    monkeypatch.setattr(fuzz, "CASES", {"config": (config.case, 50)})
    monkeypatch.setattr(fuzz, "_MODELS", 2)
    record = tmp_path / "reliability.json"
    record.write_text('{"chaos": {"lost": 0}, "fuzz": {"mqtt": 7, "config": 1}}')
    assert fuzz.main(["--output", str(record)]) == 0
    found = json.loads(record.read_text())
    assert found["chaos"] == {"lost": 0}
    assert found["fuzz"]["mqtt"] == 7
    assert (found["fuzz"]["config"], found["fuzz"]["crashes"]) == (50, 0)
    assert list(tmp_path.iterdir()) == [record]
