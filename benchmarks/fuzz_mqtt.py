"""`python -m benchmarks.fuzz_mqtt`: fuzzed commands to a real daemon; writes benchmarks/reliability.json."""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.fuzz_commands import commands
from benchmarks.measure import ProgramError
from benchmarks.outcome import UnavailableError
from benchmarks.reliability import RELIABILITY, update
from benchmarks.rig import Daemon, missing_parts_told
from tests.mosquitto import Mosquitto

COUNT = 100_000
_AT_ONCE = 64
_ANSWER_S = 60.0
_NODE = "fuzz"
_SLUGS = ("dog", "rain", "loud_sound")


class Attacker:
    """Sends commands, so many at once, and counts the answers; what is no JSON object is a fault.

    Parameters
    ----------
    port : int
        Of the broker.
    """

    def __init__(self, port: int) -> None:
        self.answers = {"ok": 0, "error": 0}
        self.faults: list[str] = []
        self._room = threading.Semaphore(_AT_ONCE)
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._connected
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._answered
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        if not self._subscribed.wait(_ANSWER_S):
            raise ProgramError("the broker does not take a subscription")

    def send(self, topic: str, payload: bytes) -> None:
        """Send a command once there is room; ProgramError where no answer makes any in time."""
        if not self._room.acquire(timeout=_ANSWER_S):
            raise ProgramError(f"no answer within {_ANSWER_S:g} s")
        self._client.publish(f"aed/{_NODE}/{topic}", payload, qos=1)

    def finish(self) -> None:
        """Wait for the last answers, and leave."""
        for _ in range(_AT_ONCE):
            if not self._room.acquire(timeout=_ANSWER_S):
                raise ProgramError(f"no answer within {_ANSWER_S:g} s")
        self._client.disconnect()
        self._client.loop_stop()

    @staticmethod
    def _connected(client: paho.Client, *_: Any) -> None:
        client.subscribe(f"aed/{_NODE}/bridge/response/#", qos=1)

    def _answered(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            answer = json.loads(message.payload)
            self.answers[answer["status"]] += 1
            if set(answer) != {"status", "data", "error", "transaction"}:
                raise ValueError(f"fields {sorted(answer)}")
            if "unexpected" in (answer["error"] or ""):
                raise ValueError(answer["error"])
        except (ValueError, KeyError, TypeError) as error:
            self.faults.append(f"{message.topic}: {error!r}")
        self._room.release()


def attack(count: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Send so many commands; return how many answers there were of each status, and what went wrong."""
    with TemporaryDirectory(prefix="aed-fuzz-") as name, missing_parts_told():
        folder = Path(name)
        with Mosquitto(folder / "broker") as broker:
            config = folder / "aed.toml"
            config.write_text(
                f'node = "{_NODE}"\n[[source]]\nname = "room"\ntype = "demo"\n'
                f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {broker.port}\n[log]\nformat = "json"\n'
            )
            with Daemon(config, {"STATE_DIRECTORY": str(folder / "state")}) as daemon:
                daemon.wait_ready()
                pid = daemon.pid
                attacker = Attacker(broker.port)
                flow = commands(seed, "room", _SLUGS)
                for _ in range(count):
                    attacker.send(*next(flow))
                attacker.finish()
                faults = list(attacker.faults)
                if not Path(f"/proc/{pid}/task").exists():
                    faults.append(f"the daemon has ended: {daemon.log[-2_000:]}")
            for mark in ("Traceback", "command_failed", "mqtt_failed_unexpectedly"):
                faults += [f"{mark} in the log"] * daemon.log.count(mark)
    return attacker.answers, faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Send them all; exit status 1 where anything broke."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_mqtt", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=COUNT, help="commands; fewer than usual: nothing is recorded"
    )
    parser.add_argument("--seed", type=int, help="of the commands; default: a new one")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    print(f"{options.count} commands, seed {seed}", flush=True)
    began_s = time.monotonic()
    try:
        answers, faults = attack(options.count, seed)
    except (ProgramError, UnavailableError) as error:
        answers, faults = {}, [str(error)]
    print(f"answers: {answers}, {time.monotonic() - began_s:.0f} s; broken: {len(faults)}")
    for fault in faults[:10]:
        print(fault, file=sys.stderr)
    if options.count >= COUNT:
        _record(options.count, len(faults))
    return 1 if faults else 0


def _record(count: int, crashes: int) -> None:
    known = json.loads(RELIABILITY.read_text(encoding="utf-8")) if RELIABILITY.exists() else {}
    before = known.get("fuzz", {})
    others = max(0, before.get("crashes", 0) - before.get("mqtt_crashes", 0))
    update({"fuzz": {"mqtt": count, "mqtt_crashes": crashes, "crashes": others + crashes}})


if __name__ == "__main__":
    sys.exit(main())
