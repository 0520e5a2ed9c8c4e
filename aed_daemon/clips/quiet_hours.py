"""QuietHours: a stretch of every day, in local time."""

from __future__ import annotations

import re
import time
from typing import NamedTuple


class QuietHours(NamedTuple):
    """From one time of day to another, over midnight where the second is the earlier one.

    Attributes
    ----------
    begin_min, end_min : int
        Minutes since midnight, local time; the end is not part of it.
    """

    begin_min: int
    end_min: int

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """Return what "22:00-06:00" says; ValueError for anything else."""
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
        if not found:
            raise ValueError('must be two times of day, such as "22:00-06:00"')
        first_h, first_min, last_h, last_min = map(int, found.groups())
        hours = cls(first_h * 60 + first_min, last_h * 60 + last_min)
        if hours.begin_min == hours.end_min:
            raise ValueError("begins and ends at the same time; to record nothing at all, turn clips off")
        return hours

    def hold(self, utc_s: float) -> bool:
        """Return whether a moment, in seconds since 1970, lies in them."""
        local = time.localtime(utc_s)
        now_min = local.tm_hour * 60 + local.tm_min
        if self.begin_min < self.end_min:
            return self.begin_min <= now_min < self.end_min
        return now_min >= self.begin_min or now_min < self.end_min
