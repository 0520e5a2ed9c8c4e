"""`python -m benchmarks.chaos`: break everything at random while events flow.

A real daemon hears two sources that make some five events a second, and publishes them through a
network that fails, to a mosquitto that is killed and forgets. The daemon is killed and asked to end,
its capture process is killed. At last everything is mended, the daemon is killed once more, and its
next process, which hears nothing, delivers what is left. A proxy right before the broker has written
down what came and what the broker has acknowledged; the store file, read whenever the daemon was
dead, says what was committed (benchmarks/chaos_ledger.py). benchmarks/reliability.json has the last run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

from benchmarks import reliability
from benchmarks.chaos_ledger import Number, number
from benchmarks.chaos_plan import Step, plan
from benchmarks.chaos_rig import NODE, ChaosRig, Exits, chaos_rig
from benchmarks.chaos_verdict import Verdict, judge
from benchmarks.outcome import UnavailableError

EVENTS_PER_MINUTE = 50
"""A run in which fewer flow shows too little: 1,000 in twenty minutes."""

_DELIVERED_S = 90.0
_SETTLED_S = 20.0


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes
    ----------
    verdict : Verdict
        On the events.
    exits : Exits
        How the daemon's processes have ended.
    tracebacks : int
        Processes that have said that something unexpected happened.
    not_mqtt : list of str
        What the proxy could not read.
    done : dict of str to int
        How often what was done.
    delivered_s : float
        How long the last process took for what was left, s.
    """

    verdict: Verdict
    exits: Exits
    tracebacks: int
    not_mqtt: list[str]
    done: dict[str, int]
    epochs: int
    interrupted: int
    delivered_s: float

    @property
    def good(self) -> bool:
        """Whether every promise was kept and nothing crashed."""
        faults = self.exits.by_itself + self.exits.badly + self.tracebacks + len(self.not_mqtt)
        return self.verdict.good and self.epochs == 1 and not faults


class Chaos:
    """Carries a plan out.

    Parameters
    ----------
    rig : ChaosRig
        The parts.
    """

    def __init__(self, rig: ChaosRig) -> None:
        self._rig = rig
        self.done: Counter[str] = Counter()

    def run(self, steps: list[Step], seconds: float) -> None:
        """Start the daemon and break things until the time is over; then mend them."""
        daemon = self._rig.daemon
        daemon.config = self._rig.noisy
        daemon.start()
        begun_s = time.monotonic()
        for step in steps:
            time.sleep(max(0.0, begun_s + min(step.at_s, seconds) - time.monotonic()))
            self._do(step)
        time.sleep(max(0.0, begun_s + seconds - time.monotonic()))

    def finish(self, patience_s: float = _DELIVERED_S) -> float:
        """Kill the daemon, have its next process deliver what is left; return how long that took, s."""
        rig = self._rig
        rig.relay.up()
        rig.daemon.wait_end()
        rig.daemon.kill()
        rig.daemon.config = rig.quiet
        rig.daemon.start()
        begun_s = time.monotonic()
        while self._undelivered() and time.monotonic() - begun_s < patience_s:
            rig.daemon.read_output()
            time.sleep(0.1)
        took_s = time.monotonic() - begun_s
        rig.daemon.ask_to_end()
        rig.daemon.wait_end()
        return took_s

    def received(self) -> set[Number]:
        """Return what has come to the subscriber, once nothing more comes."""
        count, since_s = -1, time.monotonic()
        begun_s = since_s
        while time.monotonic() - since_s < 2.0 and time.monotonic() - begun_s < _SETTLED_S:
            if (now := len(self._rig.subscriber.messages)) != count:
                count, since_s = now, time.monotonic()
            time.sleep(0.1)
        messages = list(self._rig.subscriber.messages)
        return {number(message.json()) for message in messages if message.topic.endswith("/event")}

    def _undelivered(self) -> int:
        """Return how much of what is known to be committed has not been acknowledged."""
        verdict = judge(list(self._rig.recorder.passed), self._rig.ledger, set(), NODE)
        return verdict.lost + verdict.open_ids + (not self._rig.ledger.reads)

    def _do(self, step: Step) -> None:
        rig = self._rig
        match step.part, step.what:
            case "daemon", "kill":
                rig.daemon.kill()
            case "daemon", "terminate":
                rig.daemon.ask_to_end()
            case "daemon", "start":
                rig.daemon.wait_end()
                rig.daemon.start()
            case "child", "kill":
                if not rig.daemon.kill_capture():
                    return
            case "broker", "kill":
                rig.broker.kill()
            case "broker", "terminate":
                rig.broker.stop()
            case "broker", "start":
                rig.broker.start()
            case "broker", "start empty":
                (rig.broker.folder / "mosquitto.db").unlink(missing_ok=True)
                rig.broker.start()
            case "network", "cut mid-packet":
                rig.relay.cut_after(round(step.amount))
            case "network", "cut":
                rig.relay.down()
            case "network", "refuse":
                rig.relay.refuse()
            case "network", "swallow":
                rig.relay.swallow()
            case "network", "delay":
                rig.relay.slow(step.amount)
            case "network", "restore":
                rig.relay.up()
            case other:
                raise ValueError(f"nobody knows how to do {other}")
        self.done[f"{step.part}: {step.what}"] += 1


def run_chaos(folder: Path, seed: int, minutes: float) -> Result:
    """Run it in a folder and return what was found.

    Raises
    ------
    UnavailableError
        Where mosquitto or PulseAudio is missing.
    """
    with chaos_rig(folder, seed) as rig:
        chaos = Chaos(rig)
        chaos.run(plan(seed, minutes * 60), minutes * 60)
        delivered_s = chaos.finish()
        received = chaos.received()
        passed = list(rig.recorder.passed)
        return Result(
            verdict=judge(passed, rig.ledger, received, NODE),
            exits=rig.daemon.exits,
            tracebacks=rig.daemon.tracebacks,
            not_mqtt=rig.recorder.faults,
            done=dict(sorted(chaos.done.items())),
            epochs=len(rig.ledger.counts),
            interrupted=sum(
                b'"reason":"interrupted"' in payload
                for payload in {one.message.payload for one in passed if one.message.topic.endswith("/event")}
            ),
            delivered_s=round(delivered_s, 1),
        )


def main() -> int:
    """Run it, write benchmarks/reliability.json and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (20)")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's plan")
    parser.add_argument("--no-record", action="store_true", help="leave reliability.json as it is")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3), "big")
    print(f"seed {seed}", flush=True)
    folder = Path(mkdtemp(prefix="aed-chaos-"))
    try:
        result = run_chaos(folder, seed, options.minutes)
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    figures = {**result.verdict.figures, "seed": seed, "minutes": options.minutes}
    details = {
        "done": result.done, "exits": asdict(result.exits), "epochs": result.epochs,
        "tracebacks": result.tracebacks, "interrupted": result.interrupted,
        "delivered_s": result.delivered_s,
    }  # fmt: skip
    print(json.dumps({**figures, **details}, indent=2))
    enough = result.verdict.events >= EVENTS_PER_MINUTE * options.minutes
    if not enough:
        print(f"only {result.verdict.events} events flowed", file=sys.stderr)
    if result.good and enough:
        with suppress(OSError):
            shutil.rmtree(folder)
    else:
        print(f"{result.verdict.examples} {result.not_mqtt[:3]}; everything is in {folder}", file=sys.stderr)
    if not options.no_record:
        reliability.update({"chaos": figures}, details=details)
    return int(not (result.good and enough))


if __name__ == "__main__":
    sys.exit(main())
