"""The benchmarks' own arithmetic and their record; nothing here is timed."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks
from aed_daemon.manifest import DEFAULT_MODEL
from benchmarks import exposure, latency, record, startup
from benchmarks.__main__ import BENCHMARKS, line, main
from benchmarks.clips import FRAME_SAMPLES, RATE_HZ, Span, onset_frame
from benchmarks.engines import differences
from benchmarks.latency import Start, first_within, summary
from benchmarks.measure import ProgramError, Samples, alternate, percentile, take
from benchmarks.outcome import Limit, Outcome, Row

CONTRACT = {
    "replay_x_realtime": ("litert", "tflite"),
    "pss_mb": (),
    "ready_s": (),
    "help_s": (),
    "latency_s": ("median", "p95", "n"),
    "log_mel_us_per_frame": ("ours", "librosa"),
    "resample_ms_per_audio_s": (),
    "systemd_exposure": (),
    "training_step_ms": ("ours", "pytorch", "keras_tensorflow"),
    "engine_ms": ("native", "litert", "tflite"),
    "web_cpu_percent": ("viewer",),
}
"""What readers of results.json rely on: keys, and the keys under them."""

HERE = {"cpu": "a", "cores": 4}
WHEN = {"date": "2026-01-01T00:00:00+00:00", "commit": "abc", "load_before": 0.0}


def figures() -> dict[str, Any]:
    return dict(json.loads(record.RESULTS.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(benchmarks.__path__)])
def test_every_module_imports(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_there(name: str) -> None:
    module, function = BENCHMARKS[name]
    assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), function))


@pytest.mark.parametrize(("key", "inner"), CONTRACT.items())
def test_the_record_has_the_figures(key: str, inner: tuple[str, ...]) -> None:
    value = figures()[key]
    for number in [value[name] for name in inner] if inner else [value]:
        assert number is None or (isinstance(number, int | float) and 0 < number < 1e6)


def test_a_figure_without_a_number_is_a_latency_with_misses() -> None:
    found = figures()
    assert all(found[key] is not None for key, inner in CONTRACT.items() if not inner)
    if None in found["latency_s"].values():
        assert found["latency_s"]["misses"] > 0


def test_the_record_says_where_and_when_it_was_made() -> None:
    found = figures()
    assert {"cpu", "cores", "python", "packages"} <= found["machine"].keys()
    assert found["details"].keys() <= BENCHMARKS.keys()
    for details in found["details"].values():
        assert details["date"]
        assert details["commit"]


def test_the_record_holds_no_path() -> None:
    text = record.RESULTS.read_text(encoding="utf-8")
    assert not [part for part in text.split('"') if part.startswith(("/", "~"))]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.95, 3.0),
        ([1.0, 2.0], 0.5, 1.0),
        (list(range(1, 41)), 0.95, 38),
        (list(range(1, 41)), 1.0, 40),
        ([0.5] * 38 + [math.inf] * 2, 0.95, 0.5),
        ([0.5] * 37 + [math.inf] * 3, 0.95, math.inf),
        ([math.inf, 0.1, math.inf], 0.5, math.inf),
    ],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_percentile_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, share)


def test_misses_count_as_infinite() -> None:
    assert summary([0.25, 0.75, 0.5]) == {"median": 0.5, "p95": 0.75, "n": 3}
    assert summary([0.25, math.inf, math.inf]) == {"median": math.inf, "p95": math.inf, "n": 3}
    assert not Limit(1.2).met(math.inf)


def tone(begin_s: float, length_s: float, total_s: float, amplitude: float) -> np.ndarray[Any, Any]:
    times = np.arange(round(total_s * RATE_HZ)) / RATE_HZ
    inside = (times >= begin_s) & (times < begin_s + length_s)
    return np.asarray(amplitude * np.sin(2 * np.pi * 1_000 * times) * inside, np.float32)


def test_onset_is_the_first_frame_within_20_db_of_the_loudest() -> None:
    loud = tone(1.0, 0.2, 2.0, 0.5)
    assert onset_frame(loud) == 100
    assert onset_frame(loud + tone(0.5, 0.2, 2.0, 0.5 * 10 ** (-19 / 20))) == 50
    assert onset_frame(loud + tone(0.5, 0.2, 2.0, 0.5 * 10 ** (-21 / 20))) == 100


def test_onset_at_the_very_start_and_in_silence() -> None:
    assert onset_frame(tone(0.0, 0.5, 0.5, 0.1)) == 0
    assert onset_frame(np.zeros(10 * FRAME_SAMPLES, np.float32)) == 0


def test_a_start_belongs_to_the_clip_in_which_it_came() -> None:
    span = Span("clip", begin=RATE_HZ, onset=2 * RATE_HZ, end=3 * RATE_HZ)
    early, late, later = Start(100.9, 0.0), Start(102.5, 0.0), Start(102.9, 0.0)
    assert first_within([later, early, late], span, 100.0) == late
    assert first_within([early, Start(103.1, 0.0)], span, 100.0) is None


def test_a_network_counts_for_the_fold_that_it_never_saw(tmp_path: Path) -> None:
    made = (Path(__file__).parents[1] / "evaluation" / "distilled").glob("*-seed1.tflite")
    found = latency.networks([tmp_path / "absent.tflite", DEFAULT_MODEL, *made])
    assert {fold: path.name for fold, path in found.items()} == {
        fold: f"fold{fold}-seed1.tflite" for fold in range(1, 6)
    }


def test_scores_that_differ_are_counted() -> None:
    ours = np.array([[-128, 127], [5, 6], [7, 8]], np.int8)
    assert differences(ours, ours) == {"patches": 0, "bytes": 0, "steps": 0}
    theirs = np.array([[127, -128], [5, 6], [7, 9]], np.int8)
    assert differences(ours, theirs) == {"patches": 2, "bytes": 3, "steps": 255}


def test_slow_imports() -> None:
    report = """import time: self [us] | cumulative | imported package
import time:       309 |      19999 |     quick
import time:       309 |      20500 |   slow
{"event": "listening"}
import time:       100 |      90000 | slower.still
"""
    assert startup.slow_imports(report) == {"slower.still": 90.0, "slow": 20.5}


def test_exposure_is_read_from_the_report() -> None:
    assert exposure.parse("✗ x\n\n→ Overall exposure level for a.service: 1.3 OK 🙂\n") == 1.3
    with pytest.raises(ValueError, match="something else"):
        exposure.parse("nothing")


def test_merging_keeps_the_other_benchmarks() -> None:
    before = record.merged({}, "help", Outcome({"help_s": 0.1}, {"spread": {}}), HERE, WHEN)
    after = record.merged(before, "latency", Outcome({"latency_s": {"p95": math.inf}}), HERE, WHEN)
    assert after["help_s"] == 0.1
    assert after["latency_s"] == {"p95": None}
    assert after["details"].keys() == {"help", "latency"}
    assert before["details"].keys() == {"help"}


def test_figures_of_another_machine_are_dropped() -> None:
    before = record.merged({}, "help", Outcome({"help_s": 0.1}), {"cpu": "b"}, WHEN)
    assert "help_s" not in record.merged(before, "ready", Outcome({"ready_s": 1.0}), HERE, WHEN)


def test_the_record_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert record.read(path) == {}
    record.write({"help_s": 0.1}, path)
    assert record.read(path) == {"help_s": 0.1}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_alternating_takes_turns() -> None:
    order: list[str] = []
    taken = alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert all(len(samples.values) == 3 for samples in taken.values())


def test_spread() -> None:
    assert Samples((3.0, 1.0, 2.0)).scaled(10).spread() == {
        "median": 20.0,
        "min": 10.0,
        "max": 30.0,
        "runs": 3,
    }


def test_a_program_that_fails_is_no_measurement() -> None:
    assert take(["true"]).wall_s > 0
    with pytest.raises(ProgramError, match="exited with 1"):
        take(["false"])


def test_a_line_says_whether_the_limit_is_kept() -> None:
    assert "<= 1.5 kept" in line(Row("start", 1.5, "s", limit=Limit(1.5)))
    assert ">= 30 MISSED" in line(Row("replay", 29.0, "x", limit=Limit(30, at_least=True)))


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "there is no benchmark nonsense" in capsys.readouterr().err
