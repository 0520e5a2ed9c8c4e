"""What `make soak` does in hours, in seconds: nothing piles up, and nothing is lost without a broker."""

from __future__ import annotations

import pytest

from benchmarks import broker_away, soak

pytestmark = pytest.mark.system


def test_reloads_and_lost_brokers_leave_no_descriptor_and_no_thread_behind() -> None:
    found = soak.measure(4, hour_s=480.0, sound_s=121.0).figures
    assert max(found["fd_growth"], found["threads_growth"]) <= 0
    assert found["audio_hours"] >= 4 * 480 / 3_600
    assert found["events"] > 100
    assert (found["exceptions"], found["exit_status"]) == (0, 0)


def test_a_broker_that_is_away_gets_everything_in_order_and_flagged() -> None:
    figures, details = broker_away.measure(300.0, 60.0, sound_s=61.0)
    assert figures["waited"] > 0
    assert (figures["lost"], figures["out_of_order"], figures["not_flagged"]) == (0, 0, 0)
    assert (details["exceptions"], details["exit_status"]) == (0, 0)
