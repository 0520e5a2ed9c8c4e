"""Outlet: where events wait, as the configuration and systemd say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import Config
from aed_daemon.inference import load_classifier
from aed_daemon.outlet import Outlet, store_path
from tests.mosquitto import free_port
from tests.sinks.disks import store
from tests.sinks.parts import draft
from tests.waiting import wait_for


def config(**tables: Any) -> Config:
    return Config.model_validate({"node": "test", "source": [{"name": "porch", "type": "demo"}], **tables})


@pytest.mark.parametrize(
    ("outbox", "state", "expected"),
    [
        ({}, None, None),
        ({}, "", None),
        ({}, "/var/lib/aed", Path("/var/lib/aed/outbox.db")),
        ({}, "/var/lib/aed:/var/lib/more", Path("/var/lib/aed/outbox.db")),
        ({"path": "/mnt/events.db"}, "/var/lib/aed", Path("/mnt/events.db")),
        ({"path": "/mnt/events.db"}, None, Path("/mnt/events.db")),
        ({"enabled": False, "path": "/mnt/events.db"}, "/var/lib/aed", None),
    ],
)
def test_where_events_wait(
    outbox: dict[str, Any], state: str | None, expected: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    if state is not None:
        monkeypatch.setenv("STATE_DIRECTORY", state)
    assert store_path(config(outbox=outbox)) == expected


def test_a_reload_keeps_what_waits_and_takes_over_limits_and_path(tmp_path: Path) -> None:
    mqtt = {"enabled": True, "host": "127.0.0.1", "port": free_port()}
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    classifier = load_classifier()
    begun = config(mqtt=mqtt, outbox={"path": str(first)})
    renamed = config(mqtt={**mqtt, "prefix": "other"}, outbox={"path": str(first)})
    moved = config(mqtt={**mqtt, "queue_events": 10}, outbox={"path": str(second)})
    outlet = Outlet(begun, classifier)
    outlet.event(draft(type="end"))
    outlet.exchange(begun, renamed, classifier)
    outlet.event(draft(type="end"))
    outlet.exchange(renamed, moved, classifier)
    wait_for(lambda: second.exists() and not first.exists(), "moved")
    for _ in range(9):
        outlet.event(draft(type="end"))
    outlet.close(2.0)
    with store(second) as found:
        assert [row.seq for row in found.rows()] == [1, *range(9)]
        assert [(hole.first_seq, hole.last_seq) for hole in found.holes()] == [(0, 0)]


def test_what_was_heard_last_is_stored_before_the_end(tmp_path: Path) -> None:
    mqtt = {"enabled": True, "host": "127.0.0.1", "port": free_port()}
    outlet = Outlet(config(mqtt=mqtt, outbox={"path": str(tmp_path / "a.db")}), load_classifier())
    for _ in range(300):
        outlet.event(draft(type="end"))
    outlet.close(1.0)
    with store(tmp_path / "a.db") as found:
        assert found.depth == 300


def test_without_a_broker_nothing_is_kept(tmp_path: Path) -> None:
    outlet = Outlet(config(outbox={"path": str(tmp_path / "a.db")}), load_classifier())
    outlet.event(draft())
    outlet.close(1.0)
    assert not list(tmp_path.iterdir())
