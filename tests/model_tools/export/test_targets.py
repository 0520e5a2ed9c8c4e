from __future__ import annotations

from functools import cache

import pytest

from aed_daemon.errors import AedError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export import fit, targets
from model_tools.export.fit import MOST_LOAD, Choice, MisfitError, Needs, check, choices, load
from model_tools.export.graph import Network, read_network
from model_tools.export.plan import Mode, plan
from model_tools.export.targets import TARGETS, Target, target_of

SMALL = Needs(ram_bytes=10_000, flash_bytes=50_000, load=None)


@cache
def network() -> Network:
    return read_network(DEFAULT_MODEL.read_bytes())


def share(choice: Choice, target: Target) -> float:
    found = load(plan(network(), choice.mode, choice.hop_frames), target)
    assert found
    return found.share


def needs(choice: Choice, target: Target, ram: int = 45_000, flash: int = 175_000) -> Needs:
    return Needs(ram, flash, load(plan(network(), choice.mode, choice.hop_frames), target))


def test_each_microcontroller_has_budgets_and_a_processor() -> None:
    assert {"stm32u5", "stm32l4", "stm32h7", "stm32l0", "stm32mp1", "host"} <= set(TARGETS)
    for name, target in TARGETS.items():
        assert target.name == name
        if target.kind == "c":
            assert target.ram_bytes
            assert target.flash_bytes
            assert target.clock_hz
            assert target.processor
            assert target.processor.gcc_flags
            assert target.processor.emulated or target.processor.fixed_point


def test_the_load_is_what_the_macs_take() -> None:
    target = target_of("stm32u5")
    found = load(plan(network(), "patch", 24), target)
    assert found
    assert target.processor
    assert found.macs_per_s == pytest.approx(23_902_976 * 100 / 24)
    cycles = found.macs_per_s * target.processor.cycles_per_mac + 100 * target.processor.cycles_per_frame
    assert found.share == pytest.approx(cycles / 160e6)


@pytest.mark.parametrize("name", ["stm32u5", "stm32l4", "stm32h7"])
def test_what_is_chosen_fits(name: str) -> None:
    target = target_of(name)
    for choice in choices(network(), target, None, None):
        assert share(choice, target) <= MOST_LOAD
        check(network(), choice, needs(choice, target), target)


def test_as_the_daemon_listens_comes_first_where_it_fits() -> None:
    assert choices(network(), target_of("stm32h7"), None, None)[0] == Choice("patch", 24)
    assert choices(network(), target_of("host"), None, None)[0] == Choice("patch", 24)
    assert choices(network(), target_of("stm32u5"), None, None)[0] == Choice("incremental", 24)
    assert choices(network(), target_of("stm32l4"), None, None)[0] == Choice("incremental", 32)


def test_an_l4_is_too_slow_for_a_patch_every_240_ms_and_what_is_advised_fits() -> None:
    target, choice = target_of("stm32l4"), Choice("patch", 24)
    with pytest.raises(MisfitError) as refused:
        check(network(), choice, needs(choice, target), target)
    told = str(refused.value)
    assert "stm32l4: --mode patch --hop 24 does not fit: expected at most 80% of 80 MHz" in told
    assert f"got {share(choice, target):.0%} (99.6 M multiply-accumulates a second)" in told
    for advised in (Choice("incremental", 32), Choice("stream", 8)):
        assert f"with {advised} ({share(advised, target):.0%})" in told


def test_an_l0_is_refused_by_arithmetic() -> None:
    target = target_of("stm32l0")
    (choice,) = choices(network(), target, None, None)
    with pytest.raises(MisfitError) as refused:
        check(network(), choice, needs(choice, target), target)
    told = str(refused.value)
    assert "80% of 32 MHz and 20,480 B of RAM" in told
    assert "RAM is short by 24,520 B" in told
    assert "a network of 1.30 M multiply-accumulates a patch would" in told
    assert 5.8 / 0.98 < share(Choice("patch", 96), target) < 8.5 / 0.96


def test_a_smaller_network_or_a_larger_part_fits_an_l0() -> None:
    target = target_of("stm32l0")
    choice = Choice("patch", 96)
    check(network(), choice, SMALL, target)
    larger = target_of("stm32l0", {"ram": 64_000, "clock": 320_000_000})
    check(network(), choice, needs(choice, larger), larger)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ram": 44_999}, "expected at most 44,999 B of RAM, got 45,000 B. RAM is short by 1 B"),
        ({"flash": 100_000}, "expected at most 100,000 B of flash, got 175,000 B"),
        ({"ram": 1_000, "flash": 1_000}, "1,000 B of RAM and 1,000 B of flash, got 45,000 B and 175,000 B"),
    ],
)
def test_budgets_that_are_given_hold(given: dict[str, int], told: str) -> None:
    target, choice = target_of("stm32h7", given), Choice("patch", 24)
    with pytest.raises(MisfitError, match=told):
        check(network(), choice, needs(choice, target), target)


def test_what_just_fits_is_not_refused() -> None:
    target, choice = target_of("stm32h7", {"ram": 45_000, "flash": 175_000}), Choice("patch", 24)
    check(network(), choice, needs(choice, target), target)


def test_what_was_asked_for_is_not_replaced() -> None:
    target = target_of("stm32l4")
    assert choices(network(), target, "patch", 24) == [Choice("patch", 24)]
    assert choices(network(), target, None, 24) == [Choice("incremental", 24)]
    assert choices(network(), target, None, 25) == [Choice("patch", 25)]
    assert choices(network(), target, "stream", None) == [Choice("stream", 8)]
    assert {choice.mode for choice in choices(network(), target, "patch", None)} == {"patch"}


@pytest.mark.parametrize(
    ("mode", "hop", "told"),
    [
        ("stream", 24, "--hop: in stream mode decisions come with the rows of the mean: expected 8, got 24"),
        ("patch", 97, "--hop: patches would not touch: expected 1 to 96 frames, got 97"),
    ],
)
def test_modes_and_hops_that_exclude_each_other(mode: Mode, hop: int, told: str) -> None:
    with pytest.raises(AedError, match=told):
        choices(network(), target_of("host"), mode, hop)


def test_a_new_target_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Target("mine", "a part", "c", targets.CORTEX_M4, 100_000_000, 64_000, 256_000)
    monkeypatch.setattr(targets, "TARGETS", {**TARGETS, "mine": mine})
    assert target_of("mine") is not None
    choice = choices(network(), target_of("mine"), None, None)[0]
    check(network(), choice, needs(choice, mine), mine)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("stm32f1", {}, "stm32f1: no such target: expected stm32u5, stm32l4"),
        ("stm32mp1", {"ram": 1}, "--fit: a bundle for the daemon has no budgets to fit"),
        ("host", {"clock": 1}, "--fit clock: the load of an unknown processor cannot be estimated"),
    ],
)
def test_targets_that_make_no_sense(name: str, given: dict[str, int], told: str) -> None:
    with pytest.raises(AedError, match=told):
        target_of(name, given)


def test_the_most_that_would_fit_does_fit() -> None:
    target = target_of("stm32l0")
    assert target.processor
    assert target.clock_hz
    macs = fit._most_macs(network(), target)
    cycles = macs * target.processor.cycles_per_mac / 0.96 + 100 * target.processor.cycles_per_frame
    assert cycles == pytest.approx(MOST_LOAD * target.clock_hz)
