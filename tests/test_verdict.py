from __future__ import annotations

import pytest

from aed_daemon.figures import DeliveryFigures, Figures
from aed_daemon.verdict import answer, judge

DELIVERY = DeliveryFigures("disk", None, 0, 0, None, False, 3, 0)


@pytest.mark.parametrize("state", ["running", "ended", "listening_off", "paused"])
def test_what_is_as_it_is_meant_to_be_is_healthy(state: str) -> None:
    figures = Figures(states={"porch": state}, delivery=DELIVERY, turn_age_s=0.3, failures=2)
    assert judge(figures) == (True, ())


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (Figures(turn_age_s=31.0), "main loop: has not turned for 31 s"),
        (Figures(states={"porch": "running"}, stuck=("porch: samples",)), "porch: samples do not advance"),
        (Figures(states={"porch": "opening"}), "porch: opening"),
        (Figures(states={"porch": "waiting"}), "porch: waiting"),
        (Figures(states={"porch": "failed"}), "porch: failed"),
        (
            Figures(delivery=DeliveryFigures("memory", "disk full", 0, 0, None, None, 0, 0)),
            "outbox: events wait in memory, disk full",
        ),
    ],
)
def test_what_is_not_has_its_reason(figures: Figures, reason: str) -> None:
    assert judge(figures) == (False, (reason,))


def test_every_reason_is_told() -> None:
    states = {"porch": "waiting", "hall": "running", "attic": "failed"}
    verdict = judge(Figures(turn_age_s=20.0, states=states, stuck=("main loop", "hall: hops")))
    assert verdict.reasons == (
        "main loop: has not turned for 20 s", "hall: hops do not advance", "porch: waiting", "attic: failed"
    )  # fmt: skip


def test_the_answer_says_all_that_a_probe_asks() -> None:
    figures = Figures(states={"porch": "waiting"}, delivery=DELIVERY, uptime_s=81.34)
    assert answer(figures) == (
        False,
        {
            "healthy": False,
            "reasons": ["porch: waiting"],
            "sources": {"porch": "waiting"},
            "outbox": "disk",
            "broker": False,
            "uptime_s": 81.3,
        },
    )
    assert answer(Figures())[1]["broker"] is None
