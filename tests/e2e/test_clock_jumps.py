"""A system clock that is set while the daemon listens: libfaketime stands between it and the clock."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.process import Daemon, toml
from tests.pulse_server import PulseServer
from tests.sounds import soundscape, to_s16
from tests.waiting import wait_for

pytestmark = pytest.mark.system

MICROPHONE = 'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000'


def fake_clock(stamp: Path) -> dict[str, str]:
    """Return the environment of a program whose clock is off by what `stamp` says."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found and os.environ.get("CI"):
        pytest.fail("apt-get install faketime")
    if not found:
        pytest.skip("libfaketime not found: apt-get install faketime")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


def events(daemon: Daemon) -> list[dict[str, Any]]:
    return [json.loads(line) for line in daemon.stdout]


@pytest.mark.parametrize("step_s", [86_400, -3_600])
def test_sounds_before_and_after_have_the_time_of_their_start(tmp_path: Path, step_s: int) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text("+0")
    config = toml([MICROPHONE], more="[output]\njsonl = true\n[detection]\nhop_frames = 12")
    with PulseServer(tmp_path / "pulse") as pulse:
        pulse.load_source()
        environment = {**pulse.environment, **fake_clock(stamp)}
        with (
            pulse.playing(to_s16(soundscape(1, 5.0)), loop=True),
            Daemon(tmp_path, config, env=environment) as daemon,
        ):
            wait_for(lambda: events(daemon)[-1:] and events(daemon)[-1]["type"] == "start", "a sound", 30.0)
            stamp.write_text(f"{step_s:+d}")
            wait_for(lambda: '"clock_was_set"' in daemon.log, "the step is noticed")
            told = len(events(daemon))
            wait_for(
                lambda: [event["type"] for event in events(daemon)[told:]].count("start") >= 2,
                "sounds after it",
                40.0,
            )
            now_s = time.time()
            found = events(daemon)
        assert "source_offline" not in daemon.log
    sounds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in found:
        sounds[event["id"]].append(event)
    for messages in sounds.values():
        assert len({message["start"] for message in messages}) == 1
        published = [message["published"] for message in messages]
        assert published == sorted(published)
        assert all(message["published"] >= message["start"] for message in messages)
        assert all(message["end"] >= message["start"] for message in messages if message["end"])
    assert abs(found[0]["start_ts"] - now_s) < 60.0
    assert abs(found[-1]["start_ts"] - (now_s + step_s)) < 60.0
    per_clock = [abs(event["start_ts"] - now_s) < 60.0 for event in found if event["type"] == "start"]
    assert per_clock == sorted(per_clock, reverse=True), "first those of the old clock, then of the new"
