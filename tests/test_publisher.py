"""Publisher: everything to everybody, in order, whatever one of them does."""

from __future__ import annotations

import threading
import time

from structlog.testing import capture_logs

from aed_daemon.events import Event
from aed_daemon.publisher import Publisher
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import Health, Sink, SourceLevel
from tests.sinks.parts import draft

LEVEL = SourceLevel("porch", -30.0, -20.0, -60.0, False)
HEALTH = Health(None, None, None, 0, 0, 0, 0.0)


class Notebook:
    """A sink that writes down what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def event(self, event: Event) -> None:
        self.calls.append(("event", event))

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        self.calls.append(("availability", source, online, reason))

    def level(self, level: SourceLevel) -> None:
        self.calls.append(("level", level))

    def health(self, health: Health) -> None:
        self.calls.append(("health", health))

    def close(self, timeout_s: float) -> None:
        self.calls.append(("close", timeout_s))


class Broken(Notebook):
    """A sink that fails at everything."""

    def __getattribute__(self, name: str) -> object:
        if name in ("event", "availability", "level", "health", "close"):
            raise RuntimeError("out of order")
        return super().__getattribute__(name)


def test_an_event_gets_its_number_and_goes_to_every_sink() -> None:
    sinks: list[Notebook] = [Notebook(), Notebook()]
    outbox = MemoryOutbox(10)
    publisher = Publisher(outbox, sinks)
    for _ in range(3):
        publisher.event(draft())
    events = [entry.event for entry in outbox.pending(3)]
    assert [event.seq for event in events] == [0, 1, 2]
    assert {event.epoch for event in events} == {outbox.epoch}
    assert outbox.depth == 3
    for sink in sinks:
        assert sink.calls == [("event", event) for event in events]


def test_everything_else_goes_to_every_sink_too() -> None:
    sink = Notebook()
    assert isinstance(sink, Sink)
    publisher = Publisher(MemoryOutbox(0), [sink])
    publisher.availability("porch", True)
    publisher.availability("porch", False, "device_lost")
    publisher.level(LEVEL)
    publisher.health(HEALTH)
    publisher.close(2.0)
    assert sink.calls[:4] == [
        ("availability", "porch", True, None),
        ("availability", "porch", False, "device_lost"),
        ("level", LEVEL),
        ("health", HEALTH),
    ]


def test_a_sink_that_fails_takes_nobody_down_and_is_reported_once_a_minute() -> None:
    sink = Notebook()
    publisher = Publisher(MemoryOutbox(100), [Broken(), sink])
    with capture_logs() as logs:
        for _ in range(50):
            publisher.event(draft())
        publisher.level(LEVEL)
        publisher.health(HEALTH)
        publisher.availability("porch", True)
        publisher.close(1.0)
    assert publisher.failures == 54
    assert [call[0] for call in sink.calls] == ["event"] * 50 + ["level", "health", "availability", "close"]
    assert [log["call"] for log in logs] == ["event", "level", "health", "availability", "close"]
    assert logs[0]["part"] == "Broken"
    assert logs[0]["error"] == "out of order"


def test_sinks_share_the_time_to_close() -> None:
    class Slow(Notebook):
        def close(self, timeout_s: float) -> None:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                pass

    last = Notebook()
    Publisher(MemoryOutbox(0), [Slow(), last]).close(0.2)
    assert last.calls == [("close", 0.0)]


def test_every_sink_sees_events_of_all_threads_in_the_order_of_their_numbers() -> None:
    sink = Notebook()
    publisher = Publisher(MemoryOutbox(10_000), [sink])

    def publish() -> None:
        for _ in range(200):
            publisher.event(draft())

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [call[1].seq for call in sink.calls if isinstance(call[1], Event)]
    assert numbers == list(range(800))
