"""reliability.json: each test's figures, beside those of the others."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.reliability import RELIABILITY, merge


def test_a_key_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "reliability.json"
    merge("soak", {"audio_hours": 24}, path=path)
    merge("power_loss", {"lost": 7}, {"seed": 1}, path)
    merge("power_loss", {"lost": 0}, {"seed": 2}, path)
    found = json.loads(path.read_text())
    assert (found["soak"], found["power_loss"]) == ({"audio_hours": 24}, {"lost": 0})
    assert found["details"]["power_loss"]["seed"] == 2
    assert found["details"]["soak"]["date"] <= found["details"]["power_loss"]["date"]


def test_the_record_has_the_power_cuts_and_nothing_was_lost() -> None:
    found = json.loads(RELIABILITY.read_text())
    assert found["power_loss"]["snapshots"] >= 1_000
    assert (found["power_loss"]["corrupt"], found["power_loss"]["lost"]) == (0, 0)
    assert found["outbox"]["append_us"] < found["outbox"]["append_us_in_memory"]
