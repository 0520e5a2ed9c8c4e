"""The end of a sound that was going on when the daemon before this one was cut off."""

from __future__ import annotations

from aed_daemon.events import Event, iso_utc


def interrupted_end(last: Event, rate_hz: int, utc_s: float) -> Event:
    """Return the end of a sound, of which nothing is known after its last event.

    It ends when that event was published: so long it was heard.

    Parameters
    ----------
    last : Event
        Its start or its last update.
    rate_hz : int
        Sample rate of `start_sample`, Hz.
    utc_s : float
        Now, seconds since 1970.
    """
    duration_s = max(0, last.latency_ms) / 1_000
    end_ts = last.start_ts + duration_s
    published = max(utc_s, end_ts)
    return last.model_copy(
        update={
            "type": "end",
            "end": iso_utc(end_ts),
            "end_sample": last.start_sample + round(duration_s * rate_hz),
            "duration_s": duration_s,
            "reason": "interrupted",
            "published": iso_utc(published),
            "latency_ms": round((published - last.start_ts) * 1_000),
            "top": [],
            "clip": None,  # it was lost with the process
            "replayed": False,
        }
    )
