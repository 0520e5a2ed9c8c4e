"""`python -m benchmarks.soak`: a day of sound through the daemon, and whether it grows.

The daemon runs as its users run it, with a disk outbox and a real broker, and hears a file in a loop
as fast as it can. The file's length fits no hop, so every pass falls differently on the patches.
At the end of every hour of sound happens what happens in a day: somebody asks how the daemon is, moves
a threshold and has it reload its configuration, and the broker is killed and comes back.
Memory (PSS), descriptors and threads are those of the process and all its children. Pages that other
programs map too count in full (as root), so that those cannot move the figure. What is compared are
medians over half an hour of sound after the first hour and over the last half an hour.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks import long_sound, reliability
from benchmarks.measure import ONE_THREAD, ProgramError
from benchmarks.memory import alone_mb, children, rollup_mb
from benchmarks.outcome import Limit
from benchmarks.rig import missing_parts_told
from tests.mosquitto import Mosquitto, Publisher, Subscriber
from tests.process import Daemon, toml
from tests.waiting import wait_for

PSS_LIMIT = Limit(2.0)
HOURS = 24
_SOUND_S = 1_201.0
_LOOK_S = 0.5
_STUCK_S = 60.0
_BASE = "aed/test"
_ENVIRONMENT = {"AED__MQTT__HEALTH_INTERVAL_S": "1", "AED__MQTT__RECONNECT_MAX_S": "1"}


class Look(NamedTuple):
    """What a process and its children occupy at a moment.

    Attributes
    ----------
    audio_s : float
        Up to where the sound has been heard.
    pss_mb : float
        Memory, MiB, as if nothing else ran: see `benchmarks.memory.alone_mb`.
    shared_pss_mb : float
        As the kernel tells it, MiB: of files that others map, too, a share that moves when those come and go.
    anonymous_mb : float
        That part of it which is no file's, MiB: what a leak would fill.
    descriptors, threads : int
        How many are open, and how many run.
    """

    audio_s: float
    pss_mb: float
    shared_pss_mb: float
    anonymous_mb: float
    descriptors: int
    threads: int


def look(pid: int, audio_s: float) -> Look | None:
    """Return what a process occupies now; None where a child ends at this moment."""
    try:
        pids = [pid, *children(pid)]
        memory = [rollup_mb(one) for one in pids]
        shared_mb = sum(mb["pss"] for mb in memory)
        return Look(
            audio_s,
            alone_mb(pids) or shared_mb,
            shared_mb,
            sum(mb["anonymous"] for mb in memory),
            sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in pids),
            sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in pids),
        )
    except OSError:
        if not Path(f"/proc/{pid}").exists():
            raise ProgramError("the daemon has ended") from None
        return None


def growth(looks: Sequence[Look], hour_s: float) -> dict[str, float]:
    """Return by how much the medians rose from the half hour after the first hour to the last one."""
    begin_s = next(found.audio_s for found in looks if found.audio_s >= hour_s)
    end_s = looks[-1].audio_s
    early = [found for found in looks if begin_s <= found.audio_s <= begin_s + 0.5 * hour_s]
    late = [found for found in looks if found.audio_s >= end_s - 0.5 * hour_s]

    def rise(what: str) -> float:
        before: float = statistics.median(getattr(one, what) for one in early)
        after: float = statistics.median(getattr(one, what) for one in late)
        return after - before

    return {
        "pss_growth_mb": round(rise("pss_mb"), 2),
        "shared_pss_growth_mb": round(rise("shared_pss_mb"), 2),
        "anonymous_growth_mb": round(rise("anonymous_mb"), 2),
        "fd_growth": rise("descriptors"),
        "threads_growth": rise("threads"),
    }


def curve(looks: Sequence[Look], hour_s: float) -> dict[str, list[float]]:
    """Return the medians of every hour of sound that was looked at."""
    hours = [
        [found for found in looks if int(found.audio_s // hour_s) == hour]
        for hour in range(int(looks[-1].audio_s // hour_s) + 1)
    ]
    return {
        what: [round(statistics.median(getattr(one, what) for one in hour), 2) for hour in hours if hour]
        for what in ("pss_mb", "shared_pss_mb", "anonymous_mb", "descriptors", "threads")
    }


class Run:
    """A daemon that hears sound for hours, its broker and its subscriber."""

    def __init__(self, daemon: Daemon, broker: Mosquitto, watcher: Subscriber) -> None:
        self._daemon, self._broker, self._watcher = daemon, broker, watcher
        self._topic = f"{_BASE}/{long_sound.SOURCE}/event"
        self.events = 0
        self.audio_s = 0.0

    def hear(self) -> None:
        """Take what the subscriber has got since the last call, and forget it."""
        messages = self._watcher.messages
        arrived = messages[:]
        del messages[: len(arrived)]
        for message in arrived:
            if message.topic == self._topic:
                event = message.json()
                self.events += 1
                heard = event["start_sample"] if event["end_sample"] is None else event["end_sample"]
                self.audio_s = max(self.audio_s, heard / long_sound.RATE_HZ)

    def until(self, audio_s: float, seen: Callable[[Look], object]) -> None:
        """Look at it again and again until so much has been heard."""
        moved_s, before_s = time.monotonic(), self.audio_s
        while self.audio_s < audio_s:
            time.sleep(_LOOK_S)
            self.hear()
            if self.audio_s > before_s:
                moved_s, before_s = time.monotonic(), self.audio_s
            elif time.monotonic() - moved_s > _STUCK_S:
                raise ProgramError(f"no event for {_STUCK_S:g} s: {self._daemon.log[-500:]}")
            if found := look(self.pid, self.audio_s):
                seen(found)

    @property
    def pid(self) -> int:
        """Of the daemon."""
        if self._daemon.process is None:
            raise ProgramError("the daemon was not started")
        return self._daemon.process.pid

    def an_hour_passes(self, hour: int) -> None:
        """Do what is done to a daemon now and then."""
        with Publisher(self._broker) as client:
            client.publish(f"{_BASE}/bridge/request/health_check", "")
            client.publish(
                f"{_BASE}/{long_sound.SOURCE}/class/dog/threshold/set", "0.35" if hour % 2 else "0.5"
            )
            reloads = self._daemon.log.count('"reloaded"')
            client.publish(f"{_BASE}/bridge/request/reload", "")
        wait_for(lambda: self._daemon.log.count('"reloaded"') > reloads, "it reloads", 30.0)
        self._broker.restart()
        self.hear()
        state = f"{_BASE}/bridge/state"
        wait_for(lambda: self._watcher.on(state), "the daemon is back at the broker", 30.0)


class Found(NamedTuple):
    """What a run has found: the record's figures, and what is kept beside them."""

    figures: dict[str, Any]
    details: dict[str, Any]


def measure(hours: int, *, hour_s: float = 3_600.0, sound_s: float = _SOUND_S) -> Found:
    """Have a daemon hear so many hours of sound.

    Parameters
    ----------
    hours : int
        At least 2.
    hour_s : float
        How much sound counts as an hour, seconds; less for a short run.
    sound_s : float
        Length of the file that is looped, seconds.
    """
    with missing_parts_told(), TemporaryDirectory(prefix="aed-soak-") as name:
        folder = Path(name)
        wav = long_sound.write(folder / "sound.wav", sound_s, seed=1)
        broker = Mosquitto(folder / "broker")
        daemon = Daemon(
            folder, toml([long_sound.looped(wav)], broker.port), env={**ONE_THREAD, **_ENVIRONMENT}
        )
        with broker, Subscriber(broker, f"{_BASE}/#") as watcher, daemon:
            daemon.wait_ready()
            begun_s = time.monotonic()
            looks: list[Look] = []
            run = Run(daemon, broker, watcher)
            for hour in range(1, hours + 1):
                run.until(hour * hour_s, looks.append)
                print(_line(hour, looks[-1]), flush=True)
                if hour < hours:
                    run.an_hour_passes(hour)
            took_s = time.monotonic() - begun_s
            daemon.send(signal.SIGTERM)
            status = daemon.wait_end()
            exceptions = daemon.log.count("Traceback")
    risen = growth(looks, hour_s)
    beside = {what: risen.pop(what) for what in ("shared_pss_growth_mb", "anonymous_growth_mb")}
    figures = {
        "audio_hours": round(looks[-1].audio_s / 3_600, 2),
        **risen,
        "exceptions": exceptions,
        "events": run.events,
        "exit_status": status,
    }
    details = {
        "took_s": round(took_s),
        "times_real_time": round(looks[-1].audio_s / took_s, 1),
        **beside,
        "looks": len(looks),
        "by_hour": curve(looks, hour_s),
    }
    return Found(figures, details)


def _line(hour: int, found: Look) -> str:
    memory = f"PSS {found.pss_mb:.1f} MiB, anonymous {found.anonymous_mb:.1f} MiB"
    return f"hour {hour:2}: {memory}, {found.descriptors} descriptors, {found.threads} threads"


def kept(figures: Mapping[str, Any]) -> bool:
    """Whether nothing has grown and nothing gone wrong."""
    constant = figures["fd_growth"] == 0 and figures["threads_growth"] == 0
    clean = figures["exceptions"] == 0 and figures["exit_status"] == 0
    return constant and clean and PSS_LIMIT.met(figures["pss_growth_mb"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, keep the record and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=int, default=HOURS, help=f"hours of sound, at least 2 ({HOURS})")
    parser.add_argument("--no-record", action="store_true", help="leave reliability.json as it is")
    options = parser.parse_args(arguments)
    if options.hours < 2:
        parser.error("--hours: at least 2, for a growth after the first")
    figures, details = measure(options.hours)
    for what, value in figures.items():
        print(f"{what:16} {value}")
    if not options.no_record:
        reliability.update({"soak": figures}, details=details)
    return 0 if kept(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
