"""A cut of `python -m benchmarks.fuzz_mqtt`: hostile commands to the whole daemon."""

from __future__ import annotations

from itertools import islice

import pytest

from benchmarks.fuzz_commands import commands
from benchmarks.fuzz_mqtt import attack

COUNT = 2_000


@pytest.mark.system
def test_every_fuzzed_command_is_answered_and_none_is_a_crash() -> None:
    answers, faults = attack(COUNT, seed=20_261_123)
    assert faults == []
    assert sum(answers.values()) == COUNT
    assert answers["ok"] > 20, "some of them are right"


def test_a_seed_gives_the_same_commands() -> None:
    first, again, other = (list(islice(commands(seed, "porch", ("dog",)), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({command.topic for command in first}) > 20
