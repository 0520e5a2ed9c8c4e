"""The whole daemon records on a small disk: what it keeps free, and what it says when it is full."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clips.rooms import scape
from tests.clips.test_disk_trouble import take_what_is_free
from tests.clips.test_retention import free_bytes
from tests.process import Daemon, toml
from tests.sinks.disks import small_disk
from tests.sounds import write_wav
from tests.waiting import wait_for

pytestmark = pytest.mark.system

FREE_MB = 2.0
CLIPS = """
[output]
jsonl = true
[clips]
enabled = true
folder = "{folder}"
min_free_mb = {free_mb}
pre_s = 1.0
post_s = 1.0
max_s = 10.0
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "8m") as place:
        yield place


def config(disk: Path, recording: Path) -> str:
    """Return what listens to a recording over and over, as fast as it goes: far more than can be written."""
    source = f'name = "porch"\ntype = "file"\npath = "{recording}"\nloop = true\nrealtime = false'
    return toml([source], more=CLIPS.format(folder=disk / "clips", free_mb=FREE_MB))


def events(daemon: Daemon) -> list[dict[str, Any]]:
    lines = (daemon.folder / "stdout").read_text().rpartition("\n")[0].splitlines()
    return [json.loads(line) for line in lines]


def test_free_space_is_held_and_events_go_on_without_any(tmp_path: Path, disk: Path) -> None:
    recording = write_wav(tmp_path / "scape.wav", scape(1, 12.0) / 32_768)
    with Daemon(tmp_path, config(disk, recording)) as daemon:
        daemon.wait_ready()
        least = free_bytes(disk)
        first: set[str] = set()

        def old_ones_have_gone() -> bool:
            nonlocal least
            least = min(least, free_bytes(disk))
            now = {path.stem for path in disk.rglob("*.flac")}
            first.update(now if len(first) < 10 else ())
            return len(first) >= 10 and not first & now

        wait_for(old_ones_have_gone, "the first clips make way for others", 60.0)
        assert least >= FREE_MB * 1e6

        def goes_on_without() -> bool:
            take_what_is_free(disk)  # also what the clips give way to
            ends = [event for event in events(daemon) if event["type"] == "end"][-20:]
            return {event["clip"] for event in ends} == {None}

        wait_for(goes_on_without, "events without clips", 60.0)
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0
        assert "clips_cannot_be_written" in daemon.log
        assert daemon.log.count("clip_not_recorded") <= 2, "not for every event"
        assert "Traceback" not in daemon.log
        told = events(daemon)
    assert [event["seq"] for event in told] == list(range(told[0]["seq"], told[0]["seq"] + len(told)))
    by_id: dict[str, list[str | None]] = {}
    for event in told:
        by_id.setdefault(event["id"], []).append(event["clip"])
    for clips in by_id.values():
        assert set(clips) <= {clips[0], None}
        assert None not in clips[: clips.index(clips[-1])] or clips[-1] is None, "it never comes back"
