"""The verdict whether the daemon does its work: one for the health check over MQTT and over HTTP.

It rests on what the watchdog sees, `ProgressWatch`, and asks for more: the watchdog may end a
process that is stuck, so it exempts what a restart would not mend, such as a microphone that is
away. Whoever asks for health wants to know that nobody listens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aed_daemon.figures import Figures

_TURN_S = 10.0
"""The main loop turns four times a second; a reload may take it some seconds on a small board."""

_AS_MEANT = frozenset({"running", "ended", "listening_off", "paused"})
"""States of a source that the user wants, or has asked for."""


class Verdict(NamedTuple):
    """Whether the daemon does its work.

    Attributes
    ----------
    healthy : bool
        Whether there is nothing to say against it.
    reasons : tuple of str
        Why it is not, each "part: what".
    """

    healthy: bool
    reasons: tuple[str, ...]


def judge(figures: Figures) -> Verdict:
    """Return the verdict on figures.

    A broker that is away is no reason: events wait for it, and detection goes on.
    """
    reasons = []
    if figures.turn_age_s > _TURN_S:
        reasons.append(f"main loop: has not turned for {figures.turn_age_s:.0f} s")
    reasons += [f"{part} do not advance" for part in figures.stuck if part != "main loop"]
    reasons += [f"{name}: {state}" for name, state in figures.states.items() if state not in _AS_MEANT]
    if figures.delivery and figures.delivery.outbox_problem:
        reasons.append(f"outbox: events wait in memory, {figures.delivery.outbox_problem}")
    return Verdict(not reasons, tuple(reasons))


def answer(figures: Figures) -> tuple[bool, dict[str, Any]]:
    """Return whether the daemon is healthy, and the answer of /healthz as JSON takes it."""
    healthy, reasons = judge(figures)
    delivery = figures.delivery
    return healthy, {
        "healthy": healthy,
        "reasons": list(reasons),
        "sources": dict(figures.states),
        "outbox": delivery.outbox if delivery else None,
        "broker": delivery.connected if delivery else None,
        "uptime_s": round(figures.uptime_s, 1),
    }
