"""`python -m benchmarks.broker_away`: an hour of sound while the broker is away.

The daemon hears a file in a loop as fast as it can: half an hour with its broker, an hour without, and
half an hour with it again, once everything that had to wait has been delivered. What must arrive is
what the daemon prints: standard output gets each event when the disk has it, broker or not. What must
be flagged is what was printed more than five seconds before the broker came back.
The real-time factor is the time that the sound took divided by its length; as the file never makes the
pipeline wait, it is the pipeline's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from aed_daemon.sinks.outbox import REPLAYED_AFTER_S
from benchmarks import long_sound, reliability
from benchmarks.measure import ONE_THREAD, ProgramError
from benchmarks.outcome import Limit
from benchmarks.rig import missing_parts_told
from tests.mosquitto import Mosquitto, Subscriber
from tests.process import Daemon, toml
from tests.waiting import wait_for

RATIO_LIMIT = Limit(1.1)
"""Of the real-time factors without and with a broker; what a busy machine makes of two equal ones."""

_SOUND_S = 601.0
_LOOK_S = 0.02
_STUCK_S = 60.0

Key = tuple[str, int]
"""Epoch and seq."""


class Moment(NamedTuple):
    """How far the daemon was, and when."""

    audio_s: float
    wall_s: float
    cpu_s: float


class Printed:
    """What the daemon prints: every committed event, and when it was seen here."""

    def __init__(self, daemon: Daemon) -> None:
        self._path = daemon.folder / "stdout"
        self._process = daemon.process
        self._read = 0
        self.seen_s: dict[Key, float] = {}
        self.audio_s = 0.0

    def take(self) -> None:
        """Read what is new."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        now_s = time.monotonic()
        for line in whole.splitlines():
            event = json.loads(line)
            self.seen_s[event["epoch"], event["seq"]] = now_s
            heard = event["start_sample"] if event["end_sample"] is None else event["end_sample"]
            self.audio_s = max(self.audio_s, heard / long_sound.RATE_HZ)

    def follow(self, audio_s: float, least_s: float = 0.0) -> Moment:
        """Read until so much sound has been heard and so much time is over, and return that moment."""
        moved_s, before_s = time.monotonic(), self.audio_s
        least_s += moved_s
        while self.audio_s < audio_s or time.monotonic() < least_s:
            time.sleep(_LOOK_S)
            self.take()
            if self.audio_s > before_s:
                moved_s, before_s = time.monotonic(), self.audio_s
            elif time.monotonic() - moved_s > _STUCK_S:
                raise ProgramError(f"no event for {_STUCK_S:g} s")
        return self.moment()

    def moment(self) -> Moment:
        """Return how far it is now."""
        if self._process is None:
            raise ProgramError("the daemon was not started")
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        ticks = sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        return Moment(self.audio_s, time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"))


class Arrived:
    """What the subscriber has got: every event, repetitions included."""

    def __init__(self, watcher: Subscriber) -> None:
        self._watcher = watcher
        self.events: list[dict[str, Any]] = []
        self.keys: set[Key] = set()

    def take(self) -> None:
        """Read what is new."""
        for message in self._watcher.messages[len(self.events) :]:
            event = message.json()
            self.events.append(event)
            self.keys.add((event["epoch"], event["seq"]))

    def has(self, keys: Iterable[Key]) -> bool:
        """Whether all these have come by now."""
        self.take()
        return self.keys.issuperset(keys)


class Found(NamedTuple):
    """What a run has found: the record's figures, and what is kept beside them."""

    figures: dict[str, Any]
    details: dict[str, Any]


class _Phases(NamedTuple):
    """The moments between which there was a broker, none, and one again."""

    begun: Moment
    left: Moment
    back: Moment
    drained: Moment
    over: Moment

    def ratio(self, what: str) -> float:
        """Return what a second of sound took without the broker, divided by what it took with it."""

        def taken(first: Moment, last: Moment) -> float:
            used: float = getattr(last, what) - getattr(first, what)
            return used / (last.audio_s - first.audio_s)

        with_broker = (taken(self.begun, self.left) + taken(self.drained, self.over)) / 2
        return taken(self.left, self.back) / with_broker


def judge(
    printed_s: Mapping[Key, float], arrived: Sequence[Mapping[str, Any]], before: int, back_s: float
) -> dict[str, int]:
    """Compare what was printed with what arrived.

    Parameters
    ----------
    printed_s : mapping of Key to float
        When each committed event was seen on standard output.
    arrived : sequence of mapping
        The events as the subscriber got them, repetitions included.
    before : int
        How many of them had arrived when the broker went away.
    back_s : float
        When it came back.
    """
    first: dict[Key, Mapping[str, Any]] = {}
    early = {(event["epoch"], event["seq"]) for event in arrived[:before]}
    for event in arrived:
        first.setdefault((event["epoch"], event["seq"]), event)
    numbers = [seq for _, seq in first]
    late = [key for key, at_s in printed_s.items() if at_s < back_s - REPLAYED_AFTER_S and key not in early]
    return {
        "events": len(printed_s),
        "waited": len(late),
        "lost": len(printed_s.keys() - first.keys()),
        "out_of_order": sum(after < ahead for ahead, after in itertools.pairwise(numbers)),
        "not_flagged": sum(not first[key]["replayed"] for key in late if key in first),
        "repeated": len(arrived) - len(first),
    }


def measure(away_s: float, beside_s: float, *, sound_s: float = _SOUND_S) -> Found:
    """Take the broker away for so much sound, between two stretches with it, seconds of sound."""
    with missing_parts_told(), TemporaryDirectory(prefix="aed-away-") as name:
        folder = Path(name)
        wav = long_sound.write(folder / "sound.wav", sound_s, seed=2)
        broker = Mosquitto(folder / "broker")
        config = toml([long_sound.looped(wav)], broker.port, more="[output]\njsonl = true")
        environment = {**ONE_THREAD, "AED__MQTT__RECONNECT_MAX_S": "2"}
        with (
            broker,
            Subscriber(broker, f"aed/test/{long_sound.SOURCE}/event") as watcher,
            Daemon(folder, config, env=environment) as daemon,
        ):
            daemon.wait_ready()
            printed, arrived = Printed(daemon), Arrived(watcher)
            begun = printed.follow(1.0)
            left = printed.follow(begun.audio_s + beside_s)
            broker.stop()
            watcher.lost()
            arrived.take()
            before = len(arrived.events)
            back = printed.follow(left.audio_s + away_s, REPLAYED_AFTER_S + 2.0)
            daemon.send(signal.SIGSTOP)  # what comes before the subscriber is back, no broker keeps for it
            broker.start()
            watcher.ready()
            daemon.send(signal.SIGCONT)
            waiting = set(printed.seen_s)
            wait_for(lambda: arrived.has(waiting), "everything that waited arrives", 120.0)
            printed.take()
            drained = printed.moment()
            over = printed.follow(drained.audio_s + beside_s)
            daemon.send(signal.SIGTERM)
            status = daemon.wait_end()
            printed.take()
            wait_for(lambda: arrived.has(printed.seen_s), "the last ones arrive", 30.0)
            exceptions = daemon.log.count("Traceback")
    phases = _Phases(begun, left, back, drained, over)
    found = judge(printed.seen_s, arrived.events, before, back.wall_s)
    figures = {
        "hours": round((back.audio_s - left.audio_s) / 3_600, 2),
        **found,
        "real_time_factor_ratio": round(phases.ratio("wall_s"), 3),
    }
    details = {
        "processor_time_ratio": round(phases.ratio("cpu_s"), 3),
        "away_took_s": round(back.wall_s - left.wall_s, 1),
        "delivered_within_s": round(drained.wall_s - back.wall_s, 1),
        "exceptions": exceptions,
        "exit_status": status,
    }
    return Found(figures, details)


def kept(found: Found) -> bool:
    """Whether everything arrived, in order and flagged, and the pipeline was not slowed."""
    wrong = (found.figures[what] for what in ("lost", "out_of_order", "not_flagged"))
    clean = not (found.details["exceptions"] or found.details["exit_status"])
    return clean and not any(wrong) and RATIO_LIMIT.met(found.figures["real_time_factor_ratio"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, keep the record and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker_away", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="minutes of sound without a broker (60)")
    parser.add_argument("--no-record", action="store_true", help="leave reliability.json as it is")
    options = parser.parse_args(arguments)
    found = measure(options.minutes * 60, options.minutes * 30)
    for what, value in (found.figures | found.details).items():
        print(f"{what:24} {value}")
    if not options.no_record:
        reliability.update({"broker_away": found.figures}, details=found.details)
    return 0 if kept(found) else 1


if __name__ == "__main__":
    sys.exit(main())
