"""Points in time as people write them: 2h, 20:15, 2026-11-23T20:00."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}

EXPECTED = "a time ago (90s, 30m, 2h, 7d, 4w), a time of day (20:15), a date or 2026-11-23T20:15"


def parse_when(text: str, now_ts: float) -> float:
    """Return a point in time, seconds since 1970.

    Parameters
    ----------
    text : str
        How long ago; a time of day, the last such; or ISO 8601, in local time unless it says
        otherwise.
    now_ts : float
        Seconds since 1970.

    Raises
    ------
    ValueError
        For anything else.
    """
    text = text.strip()
    if text == "now":
        return now_ts
    if ago := re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", text):
        return now_ts - float(ago[1]) * _UNITS[ago[2]]
    try:
        if clock := re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text):
            return _last(int(clock[1]), int(clock[2]), int(clock[3] or 0), now_ts)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"expected {EXPECTED}, got '{text}'") from None


def _last(hour: int, minute: int, second: int, now_ts: float) -> float:
    now = datetime.fromtimestamp(now_ts)
    moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (moment if moment <= now else moment - timedelta(days=1)).timestamp()
