"""How the long runs judge what they have seen: what is wrong must show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import broker_away, soak
from benchmarks.reliability import RELIABILITY

HOUR_S = 100.0


def looks(**rise: float) -> list[soak.Look]:
    """Return a look every second over four hours; what rises does so by so much an hour."""
    flat = {"pss_mb": 80.0, "shared_pss_mb": 60.0, "anonymous_mb": 50.0, "descriptors": 9, "threads": 5}
    return [
        soak.Look(
            float(second),
            **{what: value + rise.get(what, 0) * (second // HOUR_S) for what, value in flat.items()},  # type: ignore[arg-type]
        )
        for second in range(int(4 * HOUR_S) + 1)
    ]


def test_what_does_not_grow() -> None:
    assert set(soak.growth(looks(), HOUR_S).values()) == {0}


@pytest.mark.parametrize(
    ("what", "figure"),
    [("pss_mb", "pss_growth_mb"), ("descriptors", "fd_growth"), ("threads", "threads_growth")],
)
def test_what_grows_shows_and_is_not_kept(what: str, figure: str) -> None:
    found = soak.growth(looks(**{what: 2}), HOUR_S)
    assert found[figure] == 4, "from the second hour to the last"
    clean = {"exceptions": 0, "exit_status": 0}
    assert not soak.kept({**found, **clean})
    assert soak.kept({**soak.growth(looks(), HOUR_S), **clean})


def test_a_traceback_or_an_exit_status_is_not_kept() -> None:
    found = soak.growth(looks(), HOUR_S)
    assert not soak.kept({**found, "exceptions": 1, "exit_status": 0})
    assert not soak.kept({**found, "exceptions": 0, "exit_status": 1})


def test_a_curve_has_a_value_for_every_hour() -> None:
    assert soak.curve(looks(pss_mb=2), HOUR_S)["pss_mb"] == [80, 82, 84, 86, 88]


def event(seq: int, *, replayed: bool = False) -> dict[str, Any]:
    return {"epoch": "0a", "seq": seq, "replayed": replayed}


PRINTED_S: dict[broker_away.Key, float] = {("0a", seq): 10.0 * seq for seq in range(4)}
"""Four events, one every ten seconds; the broker goes after the first and is back at 32 s."""


def judged(*arrived: dict[str, Any]) -> dict[str, int]:
    return broker_away.judge(PRINTED_S, arrived, before=1, back_s=32.0)


def test_everything_arrives_in_order_and_flagged() -> None:
    found = judged(event(0), event(1, replayed=True), event(2, replayed=True), event(3))
    assert found == {
        "events": 4, "waited": 2, "lost": 0, "out_of_order": 0, "not_flagged": 0, "repeated": 0,
    }  # fmt: skip


def test_what_is_lost_disordered_not_flagged_or_repeated_shows() -> None:
    lost = judged(event(0), event(2, replayed=True), event(3))
    assert (lost["lost"], lost["not_flagged"]) == (1, 0)
    disordered = judged(event(0), event(2, replayed=True), event(1, replayed=True), event(3))
    assert disordered["out_of_order"] == 1
    plain = judged(event(0), event(1), event(2, replayed=True), event(3))
    assert plain["not_flagged"] == 1
    twice = judged(event(0), event(0), event(1, replayed=True), event(2, replayed=True), event(3))
    assert (twice["repeated"], twice["out_of_order"]) == (1, 0)


def test_the_record_has_a_day_and_an_hour_without_a_broker() -> None:
    found = json.loads(RELIABILITY.read_text())
    assert found["soak"]["audio_hours"] >= 24
    assert soak.kept(found["soak"])
    away = found["broker_away"]
    assert away["hours"] >= 1
    assert away["waited"] > 0
    assert (away["lost"], away["out_of_order"], away["not_flagged"]) == (0, 0, 0)
    assert found["systemd_exposure"] <= 1.5
