"""Whether an export fits a target: load, RAM and flash against its budgets, and what would fit instead."""

from __future__ import annotations

from typing import NamedTuple

from aed_daemon.errors import AedError
from model_tools.export.graph import Network
from model_tools.export.plan import Mode, Plan, plan
from model_tools.export.targets import Target

MODES: tuple[Mode, ...] = ("patch", "incremental", "stream")

MOST_LOAD = 0.8
"""Of the clock; the rest is the application's."""

DEFAULT_HOP = 24
_HOP_STEP, _LONG_HOP = 8, 48
_FRAMES_PER_S = 100


class MisfitError(AedError):
    """An export is more than a target has room or time for."""


class Choice(NamedTuple):
    """How the network is run: by which walk, and how many frames from decision to decision."""

    mode: Mode
    hop_frames: int

    def __str__(self) -> str:
        return "--mode stream" if self.mode == "stream" else f"--mode {self.mode} --hop {self.hop_frames}"


class Load(NamedTuple):
    """What a choice costs on a target.

    Attributes
    ----------
    macs_per_s : float
        Multiply-accumulates of the network for each second of sound.
    network_cycles_per_s, other_cycles_per_s : float
        Of the network, and of front end, levels and tracker.
    share : float
        Of the clock.
    """

    macs_per_s: float
    network_cycles_per_s: float
    other_cycles_per_s: float
    share: float


class Needs(NamedTuple):
    """What an export takes of a target; load is None where it has no clock."""

    ram_bytes: int
    flash_bytes: int
    load: Load | None


def load(walk: Plan, target: Target) -> Load | None:
    """Return the load of a walk, None where the target has no clock."""
    if target.processor is None or target.clock_hz is None:
        return None
    network = walk.macs_per_s * target.processor.cycles_per_mac
    other = target.processor.cycles_per_frame * _FRAMES_PER_S
    return Load(walk.macs_per_s, network, other, (network + other) / target.clock_hz)


def choices(network: Network, target: Target, mode: Mode | None, hop_frames: int | None) -> list[Choice]:
    """Return what to try, best first: what was asked for; where that is left open, what the load allows.

    Raises
    ------
    AedError
        If mode and hop exclude each other.
    """
    stream, longest = _stream(network), network.input.rows
    if hop_frames is not None and not 1 <= hop_frames <= longest:
        raise AedError(
            "patches would not touch", where="--hop", expected=f"1 to {longest} frames", got=str(hop_frames)
        )
    if mode == "stream" and hop_frames not in (None, stream.hop_frames):
        raise AedError(
            "in stream mode decisions come with the rows of the mean",
            where="--hop",
            expected=str(stream.hop_frames),
            got=str(hop_frames),
        )
    if mode == "stream":
        return [stream]
    if hop_frames is not None:
        whole = hop_frames % stream.hop_frames == 0
        modes = [mode] if mode else [m for m in MODES if m == "patch" or (m == "incremental" and whole)]
        asked = [Choice(one, hop_frames) for one in modes]
        light = [choice for choice in asked if _share(network, choice, target) <= MOST_LOAD]
        return light or [min(asked, key=lambda choice: _share(network, choice, target))]
    light = [choice for choice in _light(network, target) if mode in (None, choice.mode)]
    if light:
        return light
    # Nothing fits: what comes nearest is what the refusal is about.
    every = [*_windows(network), stream]
    rest = [choice for choice in every if mode in (None, choice.mode)]
    return [min(rest, key=lambda choice: _share(network, choice, target))]


def check(network: Network, choice: Choice, needs: Needs, target: Target) -> None:
    """Compare what an export takes with the target's budgets.

    Raises
    ------
    MisfitError
        If it does not fit, with the numbers and what would fit.
    """
    budgets, taken, hints = [], [], []
    if needs.load and target.clock_hz and needs.load.share > MOST_LOAD:
        macs = f"{needs.load.macs_per_s / 1e6:.1f} M multiply-accumulates a second"
        budgets.append(f"{MOST_LOAD:.0%} of {target.clock_hz / 1e6:g} MHz")
        taken.append(f"{needs.load.share:.0%} ({macs})")
        hints.append(_lighter(network, target))
    for name, used, budget in (
        ("RAM", needs.ram_bytes, target.ram_bytes),
        ("flash", needs.flash_bytes, target.flash_bytes),
    ):
        if budget is not None and used > budget:
            budgets.append(f"{budget:,} B of {name}")
            taken.append(f"{used:,} B")
            hints.append(f"{name} is short by {used - budget:,} B: `model-tools train --width` makes less.")
    if budgets:
        raise MisfitError(
            f"{choice} does not fit",
            where=target.name,
            expected="at most " + " and ".join(budgets),
            got=" and ".join(taken),
            hint=" ".join(hints),
        )


def _windows(network: Network) -> list[Choice]:
    hops = range(DEFAULT_HOP, network.input.rows + 1, _HOP_STEP)
    return [Choice(mode, hop) for hop in hops for mode in MODES if mode != "stream"]


def _stream(network: Network) -> Choice:
    return Choice("stream", plan(network, "stream").row_frames)


def _light(network: Network, target: Target) -> list[Choice]:
    """Return the choices that the load allows, one of each mode, best first.

    The same decisions as the daemon's come before others, and then frequent ones before rare ones.
    """
    windows = _windows(network)
    often = [choice for choice in windows if choice.hop_frames <= _LONG_HOP]
    rare = [choice for choice in windows if choice.hop_frames > _LONG_HOP]
    found: dict[Mode, Choice] = {}
    for choice in [*often, _stream(network), *rare]:
        if _share(network, choice, target) <= MOST_LOAD:
            found.setdefault(choice.mode, choice)
    return list(found.values())


def _share(network: Network, choice: Choice, target: Target) -> float:
    found = load(plan(network, choice.mode, choice.hop_frames), target)
    return found.share if found else 0.0


def _lighter(network: Network, target: Target) -> str:
    light = _light(network, target)
    if light:
        told = (f"{choice} ({_share(network, choice, target):.0%})" for choice in light)
        return f"The load would fit with {' or with '.join(told)}."
    most = _most_macs(network, target) / 1e6
    return f"No mode and hop make it fit; a network of {most:.2f} M multiply-accumulates a patch would."


def _most_macs(network: Network, target: Target) -> float:
    """Return the multiply-accumulates of the largest network whose patches do not overlap."""
    walk = plan(network, "patch", network.input.rows)
    found = load(walk, target)
    if found is None or target.clock_hz is None or target.processor is None:
        raise ValueError(f"{target.name} has no clock")
    free = max(MOST_LOAD * target.clock_hz - found.other_cycles_per_s, 0.0)
    return free / target.processor.cycles_per_mac * network.input.rows / _FRAMES_PER_S
