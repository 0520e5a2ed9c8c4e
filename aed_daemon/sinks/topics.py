"""Topics and payloads: what the broker gets to see. Pure functions; events make their own payload."""

from __future__ import annotations

import json
import math
from typing import Any

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.protocol import BridgeInfo, Health, SourceLevel

ONLINE = '{"state":"online"}'
OFFLINE = '{"state":"offline"}'

_FLOOR_DBFS = -120.0


def to_json(value: Any) -> str:
    """Return compact JSON that every parser takes: no NaN, no infinities."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Topics:
    """The topics of one node.

    Parameters
    ----------
    prefix : str
        First part of every topic.
    node : str
        Name of the daemon.
    """

    def __init__(self, prefix: str, node: str) -> None:
        self.node = node
        self.base = f"{prefix}/{node}"
        self.bridge_state = f"{self.base}/bridge/state"
        self.bridge_info = f"{self.base}/bridge/info"
        self.bridge_health = f"{self.base}/bridge/health"
        self.outbox_dropped = f"{self.base}/bridge/outbox_dropped"

    def below(self, topic: str) -> str:
        """Return a topic of this node."""
        return f"{self.base}/{topic}"

    def availability(self, source: str) -> str:
        """Return where a source's availability is kept."""
        return f"{self.base}/{source}/availability"

    def event(self, source: str) -> str:
        """Return where a source's events go."""
        return f"{self.base}/{source}/event"

    def level(self, source: str) -> str:
        """Return where a source's level goes."""
        return f"{self.base}/{source}/level"

    @property
    def commands(self) -> tuple[str, ...]:
        """What commands are sent to, as subscriptions."""
        return (
            f"{self.base}/bridge/request/+",
            f"{self.base}/+/class/+/threshold/set",
            f"{self.base}/+/listening/set",
        )

    def listening_state(self, source: str) -> str:
        """Return where it is kept whether a source is to be listened to."""
        return f"{self.base}/{source}/listening/state"

    def listening_set(self, source: str) -> str:
        """Return where that is switched."""
        return f"{self.base}/{source}/listening/set"

    def threshold_state(self, source: str, slug: str) -> str:
        """Return where the threshold of a source's class is kept."""
        return f"{self.base}/{source}/class/{slug}/threshold/state"

    def threshold_set(self, source: str, slug: str) -> str:
        """Return where that is set."""
        return f"{self.base}/{source}/class/{slug}/threshold/set"

    def class_state(self, source: str, slug: str) -> str:
        """Return where it is kept whether a source hears a class."""
        return f"{self.base}/{source}/class/{slug}/state"

    def class_attributes(self, source: str, slug: str) -> str:
        """Return where the details of a source's class are kept."""
        return f"{self.base}/{source}/class/{slug}/attributes"


def availability_payload(online: bool, reason: str | None) -> str:
    """Return a source's availability; the reason only where there is one."""
    payload = {"state": "online" if online else "offline"}
    if reason is not None:
        payload["reason"] = reason
    return to_json(payload)


def info_payload(info: BridgeInfo, epoch: str) -> str:
    """Return what the daemon is."""
    return to_json(
        {
            "version": info.version,
            "model": {"name": info.model_name, "sha256": info.model_sha256},
            "engine": info.engine,
            "exact": info.exact,
            "classes": dict(info.classes),
            "sources": list(info.sources),
            "config_schema": info.config_schema,
            "epoch": epoch,
        }
    )


def health_payload(health: Health) -> str:
    """Return how the daemon is."""
    return to_json(
        {
            "real_time_factor": _rounded(health.real_time_factor, 4),
            "cpu_percent": _rounded(health.cpu_percent, 1),
            "pss_mb": _rounded(health.pss_mb, 1),
            "overruns": health.overruns,
            "shed_hops": health.shed_hops,
            "outbox": health.outbox,
            "outbox_problem": health.outbox_problem,
            "outbox_depth": health.outbox_depth,
            "outbox_oldest_s": _rounded(health.outbox_oldest_s, 1),
            "dead_letters": health.dead_letters,
            "reconnects": health.reconnects,
            "uptime_s": _rounded(health.uptime_s, 1),
            "events": health.events,
            "problems": dict(health.problems),
        }
    )


def level_payload(level: SourceLevel) -> str:
    """Return a level in dBFS; what is not finite (digital silence) is the floor value."""
    return to_json(
        {
            "rms_dbfs": _dbfs(level.rms_dbfs),
            "peak_dbfs": _dbfs(level.peak_dbfs),
            "floor_dbfs": _dbfs(level.floor_dbfs),
            "clipped": level.clipped,
        }
    )


def hole_payload(hole: Hole) -> str:
    """Return the announcement of events that were dropped."""
    return to_json(
        {"epoch": hole.epoch, "first_seq": hole.first_seq, "last_seq": hole.last_seq, "reason": hole.reason}
    )


def attributes_payload(event: Event | None) -> str:
    """Return the details of a class: of its last event, or nulls before the first one.

    No key is one that Home Assistant strips from attributes (state, name, icon, available, ...).
    """
    if event is None:
        return to_json(dict.fromkeys(_ATTRIBUTES))
    return to_json(
        {
            "event_id": event.id,
            "event_type": event.type,
            "label": event.label,
            "score": event.score,
            "score_max": event.score_max,
            "start": event.start,
            "end": event.end,
            "duration_s": event.duration_s,
            "snr_db": event.level.snr_db,
            "reason": event.reason,
        }
    )


_ATTRIBUTES = (
    "event_id",
    "event_type",
    "label",
    "score",
    "score_max",
    "start",
    "end",
    "duration_s",
    "snr_db",
    "reason",
)


def _rounded(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None and math.isfinite(value) else None


def _dbfs(value: float) -> float:
    return round(max(value, _FLOOR_DBFS), 1) if math.isfinite(value) else _FLOOR_DBFS
