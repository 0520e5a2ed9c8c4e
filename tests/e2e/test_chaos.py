"""Everything breaks at random while events flow: two of the twenty minutes of `make chaos`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos import EVENTS_PER_MINUTE, Chaos, run_chaos
from benchmarks.chaos_ledger import Ledger
from benchmarks.chaos_rig import NODE, ChaosDaemon, ChaosRig, Exits, chaos_rig
from benchmarks.chaos_verdict import judge
from benchmarks.outcome import UnavailableError
from tests.waiting import wait_for

pytestmark = pytest.mark.system

MINUTES = 2.0


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[ChaosRig]:
    try:
        with chaos_rig(tmp_path, 1, more="[outbox]\nenabled = false") as rig:
            yield rig
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(420)
def test_nothing_is_lost_whatever_breaks(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(3), "big")
    try:
        result = run_chaos(tmp_path, seed, MINUTES)
    except UnavailableError as error:
        pytest.skip(str(error))
    assert result.good, f"seed {seed}: {result}"
    assert result.verdict.events >= EVENTS_PER_MINUTE * MINUTES, f"seed {seed}: {result}"
    assert {what.split(":")[0] for what in result.done} == {"daemon", "child", "broker", "network"}


def test_a_daemon_that_keeps_nothing_on_disk_is_found_out(forgetful: ChaosRig) -> None:
    rig = forgetful
    chaos = Chaos(rig)
    rig.daemon.config = rig.noisy
    rig.daemon.start()
    wait_for(lambda: any(one.code == 0 for one in rig.recorder.passed), "it is delivered", 30.0)
    rig.relay.refuse()

    def printed() -> int:
        rig.daemon.read_output()
        return judge(list(rig.recorder.passed), rig.ledger, set(), NODE).lost

    wait_for(lambda: printed() > 5, "some wait in vain", 30.0)
    chaos.finish(patience_s=3.0)
    found = judge(list(rig.recorder.passed), rig.ledger, chaos.received(), NODE)
    assert found.lost > 5
    assert not found.good


def test_how_a_daemon_has_ended_is_told_apart(tmp_path: Path) -> None:
    daemon = ChaosDaemon(tmp_path, {}, Ledger())

    def refused() -> int:
        daemon.wait_end()
        return daemon.exits.by_itself

    daemon.config = '[[source]]\nname = "a"\ntype = "nothing"\n'
    daemon.start()
    daemon.ask_to_end()
    daemon.wait_end()
    assert daemon.exits == Exits(asked=1, early=1)
    daemon.start()
    wait_for(refused, "it refuses its configuration")
    daemon.config = '[[source]]\nname = "a"\ntype = "demo"\n'
    daemon.start()
    wait_for(lambda: "listening" in (tmp_path / "log-3").read_text(), "it runs", 30.0)
    daemon.ask_to_end()
    daemon.wait_end()
    daemon.start()
    daemon.kill()
    assert daemon.exits == Exits(killed=1, asked=2, by_itself=1, early=1)
