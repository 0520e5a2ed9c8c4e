"""reliability.json: each test's figures, beside those of the others."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.reliability import RELIABILITY, update


def test_figures_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "reliability.json"
    update({"soak": {"audio_hours": 24}, "fuzz": {"mqtt": 7}}, path)
    update({"power_loss": {"lost": 7}}, path, {"seed": 1})
    update({"power_loss": {"lost": 0}, "fuzz": {"config": 1}}, path, {"seed": 2})
    found = json.loads(path.read_text())
    assert (found["soak"], found["power_loss"]) == ({"audio_hours": 24}, {"lost": 0})
    assert found["fuzz"] == {"mqtt": 7, "config": 1}
    assert found["details"]["power_loss"]["seed"] == 2
    assert found["details"]["soak"]["date"] <= found["details"]["power_loss"]["date"]
    assert list(tmp_path.iterdir()) == [path]


def test_the_record_has_the_power_cuts_and_nothing_was_lost() -> None:
    found = json.loads(RELIABILITY.read_text())
    assert found["power_loss"]["snapshots"] >= 1_000
    assert (found["power_loss"]["corrupt"], found["power_loss"]["lost"]) == (0, 0)
    assert found["outbox"]["append_us"] < found["outbox"]["append_us_in_memory"]


def test_the_record_has_twenty_minutes_of_chaos_and_every_promise_was_kept() -> None:
    found = json.loads(RELIABILITY.read_text())["chaos"]
    assert found["events"] >= 1_000
    assert found["minutes"] >= 20
    kept = ("lost", "out_of_order", "unannounced_holes", "open_ids", "changed", "uncommitted")
    assert {name: found[name] for name in kept} == dict.fromkeys(kept, 0)
    assert found["repeated"] >= 0
    assert isinstance(found["seed"], int)
