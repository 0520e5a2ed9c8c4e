"""The daemon's main loop, inside this process: what ends it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aed_daemon.config import Config
from aed_daemon.detector import Decision
from aed_daemon.supervisor import Daemon
from tests.sounds import quiet, write_wav


def test_a_defect_in_one_source_does_not_leave_the_daemon_half_deaf(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "quiet.wav", quiet(3.0))
    sources = [{"type": "file", "name": name, "path": path, "loop": True} for name in ("one", "two")]

    def break_one(source: str, _decision: Decision) -> None:
        if source == "one":
            raise RuntimeError("a defect")

    daemon = Daemon(Config.model_validate({"source": sources}), on_decision=break_one)
    late = threading.Timer(15.0, daemon.stop)
    late.start()
    with pytest.raises(RuntimeError, match="a defect"):
        daemon.run()
    in_time = late.is_alive()
    late.cancel()
    late.join()
    assert in_time
