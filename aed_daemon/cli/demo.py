"""`aed-daemon run --demo`: the whole daemon on whatever is there, its events printed as they arrive."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from aed_daemon.audio.capture import list_devices
from aed_daemon.audio.demo import DemoSource
from aed_daemon.audio.demo_score import Detection, match
from aed_daemon.cli.private_broker import PrivateBroker, find_mosquitto
from aed_daemon.cli.settings import built_in
from aed_daemon.companions import Companion
from aed_daemon.config import LogConfig
from aed_daemon.errors import AudioError
from aed_daemon.events import Event
from aed_daemon.logs import configure
from aed_daemon.manifest import LOUD_SOUND
from aed_daemon.observer import Observation
from aed_daemon.sinks.subscriber import EventSubscriber
from aed_daemon.supervisor import Daemon

_RATE_HZ = 16_000
_SECONDS = 5.0


class _Heard(Companion):
    """Remembers how far it was heard."""

    def __init__(self) -> None:
        self.heard_s = 0.0

    def hop(self, observation: Observation) -> None:
        self.heard_s = observation.end_sample / _RATE_HZ


class _Listener(Companion):
    """Prints events, from the broker or directly, and remembers the starts."""

    def __init__(self) -> None:
        self.starts: list[Detection] = []

    def event(self, event: Event) -> None:
        if event.class_ != LOUD_SOUND and event.type == "start":
            self.starts.append(Detection(event.class_, event.start_sample / _RATE_HZ))
        score = event.score_max if event.type == "end" else event.score
        name = f"{event.class_}, " if score is None else f"{event.class_}, {score:.2f}, "
        at = (event.end if event.type == "end" else event.start) or event.start
        detail = f"{event.latency_ms / 1000:.2f} s after its onset"
        if event.type == "end":
            detail = f"lasted {event.duration_s:.2f} s"
        print(f"{name + at[11:]:36} {event.type:7} {detail}", flush=True)


def _microphones() -> int:
    try:
        return len(list_devices())
    except AudioError as error:
        print(f"aed-daemon: {error}", file=sys.stderr)
        return 0


def demonstrate(*, soundscape: bool, loop: bool) -> int:
    """Listen to the microphone until Ctrl-C, or to the soundscape once, and say how well it went."""
    use_microphone = not soundscape and _microphones() > 0
    source: dict[str, Any] = {"type": "microphone", "name": "microphone"}
    if not use_microphone:
        source = {"type": "demo", "name": "soundscape", "loop": loop}
    configure(LogConfig(level="warning"))
    listener, heard = _Listener(), _Heard()
    with ExitStack() as parts:
        mqtt: dict[str, Any] = {}
        program = find_mosquitto()
        if program:
            broker = parts.enter_context(PrivateBroker(program))
            mqtt = {"enabled": True, "host": "127.0.0.1", "port": broker.port}
        config = built_in(source, mqtt=mqtt)
        if program:
            subscriber = EventSubscriber(broker.port, config.mqtt.prefix, config.node, listener.event)
            parts.callback(subscriber.close, _SECONDS)
            subscriber.ready(_SECONDS)
        _introduce(config.node, use_microphone, config.mqtt.port)
        daemon = Daemon(config, companions=(heard,) if program else (heard, listener))
        daemon.handle_signals()
        daemon.run()
    if not use_microphone:
        _summarise(listener.starts, heard.heard_s, loop)
    return 0


def _introduce(node: str, use_microphone: bool, port: int | None) -> None:
    if use_microphone:
        print("Listening to the default microphone. Ctrl-C ends it.")
    else:
        print("No microphone: playing a synthesised soundscape of ten classes and four distractors.")
        print("Nothing in it was ever part of training. Ctrl-C ends it.")
    if port is None:
        print("mosquitto is not installed: events are printed without a broker.\n", flush=True)
    else:
        print(f"Events as a subscriber of aed/{node}/+/event at localhost:{port} gets them:\n", flush=True)


def _summarise(starts: list[Detection], heard_s: float, loop: bool) -> None:
    demo = DemoSource(loop=loop)
    truth = demo.ground_truth(heard_s)  # what was to come when it was stopped is no miss
    score = match(truth, starts)
    print(f"\n{len(score.hits)} of {len(truth)} sounds found", end="")
    print(f", {len(score.misses)} missed, {len(score.false_starts)} false starts.")
    for sound in score.misses:
        print(f"  missed       {sound.slug:16} at {sound.onset_s:6.1f} s")
    names = {sound: sound.slug for sound in [*truth, *demo.distractors(heard_s)]}
    for start in score.false_starts:
        during = [
            name for sound, name in names.items() if sound.onset_s - 1 <= start.onset_s <= sound.offset_s + 1
        ]
        what = f", during {' and '.join(during)}" if during else ""
        print(f"  false start  {start.slug:16} at {start.onset_s:6.1f} s{what}")
