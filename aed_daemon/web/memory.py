"""Memory: the last sounds and near misses, for pages of a daemon that keeps no history."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from aed_daemon.events import Event, new_ulid
from aed_daemon.near_misses import Excursion

Sound = dict[str, Any]
"""What a page knows of a sound, as JSON takes it; named as in the history."""

_MOST = 500
"""Sounds, and near misses, that are remembered."""


def sound_of(event: Event) -> Sound:
    """Return what is known of a sound with its last event."""
    return {
        "id": event.id,
        "kind": "event",
        "source": event.source,
        "class": event.class_,
        "start_ts": event.start_ts,
        "end_ts": None if event.duration_s is None else event.start_ts + event.duration_s,
        "duration_s": event.duration_s,
        "start_sample": event.start_sample,
        "end_sample": event.end_sample,
        "score_max": event.score_max,
        "strength": event.score_max,
        "rms_dbfs": event.level.rms_dbfs,
        "floor_dbfs": event.level.floor_dbfs,
        "clipped": event.level.clipped,
        "clip": event.clip,
        "reason": event.reason,
        "gap_before": event.gap_before,
        "latency_ms": event.latency_ms,
        "label": None,
    }


def near_miss_of(source: str, excursion: Excursion, scale: float, ago_s: float) -> Sound:
    """Return what is known of a sound that nearly was an event.

    Parameters
    ----------
    source : str
        Name of the source.
    excursion : Excursion
        What its scores were.
    scale : float
        Score of one step.
    ago_s : float
        How long ago it was first near, s.
    """
    start_ts, rule = time.time() - ago_s, excursion.rule
    return {
        "id": new_ulid(start_ts),
        "kind": "near_miss",
        "source": source,
        "class": rule.slug,
        "start_ts": start_ts,
        "end_ts": None,
        "duration_s": None,
        "end_sample": excursion.last_sample,
        "score_max": excursion.best * scale,
        # What was strong enough and started nothing was too short or too soon: no matter of thresholds.
        "strength": excursion.strength * scale if excursion.strength < rule.on_steps else None,
        "clip": None,
        "label": None,
    }


class Memory:
    """The last sounds, bounded; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, Sound] = {}
        self._near: deque[Sound] = deque(maxlen=_MOST)

    def event(self, sound: Sound) -> None:
        """Take what is known of a sound now."""
        with self._lock:
            self._events[sound["id"]] = sound
            if len(self._events) > _MOST:
                del self._events[next(iter(self._events))]

    def near_miss(self, sound: Sound) -> None:
        """Take a near miss."""
        with self._lock:
            self._near.append(sound)

    def sounds(self, limit: int) -> list[Sound]:
        """Return the last of both, the newest onset first."""
        with self._lock:
            found = [*self._events.values(), *self._near]
        return sorted(found, key=lambda sound: -sound["start_ts"])[:limit]
