"""`python -m benchmarks.microphone`: from the return of a lost microphone to the next decision.

The daemon listens through PulseAudio's pipe source, which is unloaded, or goes with its server, and
comes back after pauses of different lengths. A trial ends with the first level message at an MQTT
subscriber: there is one only where the network (or the gate) has decided, so a whole window of the
returned sound was heard. A second source plays on meanwhile and must not notice.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import reliability
from benchmarks.measure import ProgramError
from benchmarks.outcome import Limit
from benchmarks.rig import missing_parts_told
from tests.mosquitto import Mosquitto, Subscriber
from tests.process import Daemon, toml
from tests.pulse_server import PulseServer
from tests.waiting import wait_for

LIMIT = Limit(3.0)
TRIALS = 12
_AWAY_S = (1.0, 5.0, 12.0)
"""Shorter than, as long as, and longer than the capture process looks for its device."""

_SOURCES = (
    'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = 16000',
    'name = "scape"\ntype = "demo"',
)


class _Microphone:
    """The daemon's microphone, and what its subscriber has heard of it."""

    def __init__(self, pulse: PulseServer, watcher: Subscriber) -> None:
        self._pulse, self._watcher = pulse, watcher
        self._sound = np.random.default_rng(3).integers(-3_000, 3_000, 16_000).astype(np.int16)

    def states(self) -> list[str]:
        return [message.json()["state"] for message in self._watcher.on("aed/test/porch/availability")]

    def levels(self) -> int:
        return len(self._watcher.on("aed/test/porch/level"))

    def trial(self, take_away: Callable[[], None], bring: Callable[[], None], away_s: float) -> float:
        """Lose it, wait, bring it back; return the seconds from its return to the next decision."""
        with self._pulse.playing(self._sound, loop=True):
            before = self.levels()
            wait_for(lambda: self.levels() > before, "it is heard", 30.0)
            take_away()
            wait_for(lambda: self.states()[-1] == "offline", "the loss is told", 30.0)
        time.sleep(away_s)
        bring()
        heard = self.levels()
        begun_s = time.monotonic()
        self._pulse.load_source()
        with self._pulse.playing(self._sound, loop=True):
            wait_for(lambda: self.levels() > heard, "it is heard again", 60.0)
            recovery_s = time.monotonic() - begun_s
        if self.states()[-2:] != ["offline", "online"]:
            raise ProgramError(f"it was heard, and told as {self.states()[-2:]}")
        return recovery_s


def measure(trials: int) -> dict[str, Any]:
    """Return recovery times over trials, and whether the other source noticed anything."""
    with missing_parts_told(), TemporaryDirectory(prefix="aed-bench-") as name:
        folder = Path(name)
        with (
            PulseServer(folder / "pulse") as pulse,
            Mosquitto(folder / "broker") as broker,
            Subscriber(broker) as watcher,
        ):
            pulse.load_source()
            config = toml(_SOURCES, broker.port)
            with Daemon(folder, config, env=pulse.environment) as daemon:
                daemon.wait_ready()
                found = _trials(_Microphone(pulse, watcher), pulse, trials)
                if daemon.notify.lines.count("READY=1") != 1 or daemon.process is None:
                    raise ProgramError("the daemon was restarted")
                scape = [message.payload for message in watcher.on("aed/test/scape/availability")]
                disturbed = scape != ['{"state":"online"}'] or '"sound_lost", "source": "scape"' in daemon.log
    return {
        "recovery_s": round(max(found), 3),
        "recovery_median_s": round(statistics.median(found), 3),
        "trials": len(found),
        "other_source_disturbed": disturbed,
    }


def _trials(microphone: _Microphone, pulse: PulseServer, trials: int) -> list[float]:
    ways: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
        ("unplugged", pulse.unload_source, lambda: None),
        ("server killed", pulse.kill, pulse.start),
    ]
    found = []
    for number in range(trials):
        how, take_away, bring = ways[number % len(ways)]
        away_s = _AWAY_S[number % len(_AWAY_S)]
        found.append(microphone.trial(take_away, bring, away_s))
        print(f"{how}, away for {away_s:g} s: {found[-1]:.2f} s", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep the record; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.microphone", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args(arguments)
    figures = measure(options.trials)
    print(f"worst {figures['recovery_s']} s, median {figures['recovery_median_s']} s, limit {LIMIT}")
    reliability.update({"microphone": figures})
    return 0 if LIMIT.met(figures["recovery_s"]) and not figures["other_source_disturbed"] else 1


if __name__ == "__main__":
    sys.exit(main())
