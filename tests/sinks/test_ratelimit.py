"""OncePer: at most one message an interval and key, the rest counted."""

from __future__ import annotations

from aed_daemon.sinks.ratelimit import OncePer


def test_the_first_is_due_the_next_are_counted() -> None:
    now = [0.0]
    quiet = OncePer(60, clock=lambda: now[0])
    assert quiet.due("a") == 0
    now[0] = 59.9
    assert [quiet.due("a"), quiet.due("a"), quiet.due("b")] == [None, None, 0]
    now[0] = 60.0
    assert quiet.due("a") == 2
    now[0] = 200.0
    assert quiet.due("a") == 0
