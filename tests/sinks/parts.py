"""What the sinks' tests share: events, and a daemon's output side on a broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aed_daemon.config import MqttConfig
from aed_daemon.events import Event, Level, ModelRef, iso_utc, new_ulid
from aed_daemon.publisher import Publisher
from aed_daemon.sinks.disk_outbox import DiskOutbox
from aed_daemon.sinks.mqtt_sink import MqttSink
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import BridgeInfo
from tests.mosquitto import PASSWORD, USER, Message, Mosquitto

NODE = "hall-3f2a"
BASE = f"aed/{NODE}"
EVENTS = f"{BASE}/porch/event"
INFO = BridgeInfo(
    version="0.1.0",
    model_name="yamnet256-esc10",
    model_sha256="0" * 64,
    engine="litert",
    exact=True,
    classes={"dog": "Dog", "rain": "Rain", "loud_sound": "Loud sound"},
    sources=("porch", "hall"),
)


def draft(**changes: Any) -> Event:
    """Return an event without its number."""
    event = Event(
        type="start",
        id=new_ulid(1_795_396_461.48),
        epoch="00000000",
        seq=0,
        node=NODE,
        source="porch",
        class_="dog",
        label="Dog",
        score=0.93,
        score_max=0.97,
        score_mean=0.91,
        start=iso_utc(1_795_396_461.48),
        start_ts=1_795_396_461.48,
        start_sample=8_123_392,
        end=None,
        end_sample=None,
        duration_s=None,
        reason=None,
        published=iso_utc(1_795_396_462.31),
        latency_ms=830,
        level=Level(rms_dbfs=-23.1, peak_dbfs=-9.8, floor_dbfs=-58.0, snr_db=34.9, clipped=False),
        top=[("dog", 0.93), ("rooster", 0.03)],
        window_s=0.975,
        hop_s=0.24,
        model=ModelRef(name="yamnet256-esc10", sha256="0" * 64),
        engine="litert",
        clip=None,
        clock_synced=True,
        gap_before=False,
        replayed=False,
    )
    return event.model_copy(update=changes)


class Daemon:
    """The output side of a daemon: publisher, outbox and MQTT sink."""

    def __init__(self, config: MqttConfig, outbox: MemoryOutbox | DiskOutbox) -> None:
        self.outbox: Any = outbox
        self.sink = MqttSink(config, NODE, INFO, outbox)
        self.publisher = Publisher(outbox, [self.sink])

    def publish(self, count: int, **changes: Any) -> None:
        """Publish so many events."""
        for _ in range(count):
            self.publisher.event(draft(**changes))


def settings(broker: Mosquitto | int, **changes: Any) -> MqttConfig:
    """Return a configuration for a broker or a port, quick to try again."""
    port = broker if isinstance(broker, int) else broker.port
    values: dict[str, Any] = {"enabled": True, "port": port, "reconnect_max_s": 1, "keepalive_s": 5}
    return MqttConfig.model_validate(values | changes)


@contextmanager
def running(
    broker: Mosquitto | int, outbox: MemoryOutbox | DiskOutbox | None = None, **changes: Any
) -> Iterator[Daemon]:
    """Run the output side of a daemon."""
    daemon = Daemon(settings(broker, **changes), outbox or MemoryOutbox(10_000))
    daemon.sink.start()
    try:
        yield daemon
    finally:
        daemon.publisher.close(2.0)


def login(broker: Mosquitto, password: str = PASSWORD) -> dict[str, Any]:
    """The configuration's part on users."""
    path = broker.folder / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return {"host": "localhost", "username": USER, "password_file": path}


def numbers(messages: list[Message]) -> list[int]:
    return [message.json()["seq"] for message in messages]


def first_deliveries(messages: list[Message]) -> list[int]:
    """The numbers in order of first arrival, as a subscriber that drops repetitions sees them."""
    return list(dict.fromkeys(numbers(messages)))
