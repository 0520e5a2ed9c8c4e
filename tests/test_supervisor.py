"""The daemon's main loop, inside this process: what ends it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aed_daemon.companions import Companion, Kind
from aed_daemon.config import Config
from aed_daemon.detector import Decision
from aed_daemon.observer import Observation
from aed_daemon.pipeline import Pipeline
from aed_daemon.supervisor import Daemon
from tests.sounds import quiet, write_wav


class Notebook(Companion):
    def __init__(self) -> None:
        self.hops: list[Observation] = []
        self.closed_in_s = 0.0

    def hop(self, observation: Observation) -> None:
        self.hops.append(observation)

    def close(self, timeout_s: float) -> None:
        self.closed_in_s = timeout_s


def test_companions_are_made_of_the_kinds_that_it_is_given(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "quiet.wav", quiet(3.0))
    config = Config.model_validate(
        {"source": [{"type": "file", "name": "one", "path": path, "realtime": False}]}
    )
    notebook = Notebook()
    Daemon(config, kinds=[Kind(lambda config: config.log, lambda _: notebook)]).run()
    assert len(notebook.hops) > 5
    assert notebook.closed_in_s > 0


def test_a_defect_in_one_source_does_not_leave_the_daemon_half_deaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "quiet.wav", quiet(3.0))
    sources = [{"type": "file", "name": name, "path": path, "loop": True} for name in ("one", "two")]

    def break_one(pipeline: Pipeline, decision: Decision) -> None:
        if threading.current_thread().name == "pipeline one":
            raise RuntimeError("a defect")

    monkeypatch.setattr(Pipeline, "_publish", break_one)
    daemon = Daemon(Config.model_validate({"source": sources}))
    late = threading.Timer(15.0, daemon.stop)
    late.start()
    with pytest.raises(RuntimeError, match="a defect"):
        daemon.run()
    in_time = late.is_alive()
    late.cancel()
    late.join()
    assert in_time
