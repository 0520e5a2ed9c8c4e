"""What an export can be for: parts with their budgets, this machine, and Linux boards for the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from aed_daemon.errors import AedError
from model_tools.export.toolchain import CORES, Core

Kind = Literal["c", "host", "daemon"]
"""C for a microcontroller with budgets, C for any machine, or the daemon on Linux."""


@dataclass(frozen=True)
class Processor:
    """What computes, and how fast.

    Attributes
    ----------
    name : str
        As its maker has it.
    core : str or None
        Key of `toolchain.CORES`, where the emulator has it.
    flags : tuple of str
        For gcc, of a processor that the emulator has not.
    fixed_point : bool
        Whether it has no FPU: the front end computes in integers.
    cycles_per_mac : float
        Cycles for a multiply-accumulate of the network, all else that the network does included.
    cycles_per_frame : float
        Cycles for 10 ms of sound: front end, level, tracker.
    method : str
        Where the two come from.
    """

    name: str
    core: str | None
    flags: tuple[str, ...]
    fixed_point: bool
    cycles_per_mac: float
    cycles_per_frame: float
    method: str

    @property
    def emulated(self) -> Core | None:
        """The emulated core, None without one."""
        return CORES[self.core] if self.core else None

    @property
    def gcc_flags(self) -> tuple[str, ...]:
        """For arm-none-eabi-gcc."""
        return self.emulated.flags if self.emulated else self.flags


@dataclass(frozen=True)
class Target:
    """One entry of the table.

    Attributes
    ----------
    name : str
        On the command line.
    part : str
        What the budgets are taken from.
    kind : {"c", "host", "daemon"}
        What is exported.
    processor : Processor or None
        None of this machine.
    clock_hz, ram_bytes, flash_bytes : int or None
        Budgets; None where nothing is to be checked.
    note : str
        For people.
    """

    name: str
    part: str
    kind: Kind
    processor: Processor | None = None
    clock_hz: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    note: str = ""


_INSTRUCTIONS_PER_MAC, _INSTRUCTIONS_PER_FRAME = 0.95, 27_000.0
_ON_A_CORE = (
    "{per_mac} instructions for a multiply-accumulate and {per_frame:,.0f} for 10 ms of sound, counted in "
    "the emulator, at {cycles} cycles each, which is assumed, not measured on silicon; ST's own runtime "
    "takes 1.89 cycles for a multiply-accumulate on a Cortex-M33"
)


def _on_a_core(name: str, core: str, cycles: float) -> Processor:
    per_mac, per_frame = _INSTRUCTIONS_PER_MAC * cycles, _INSTRUCTIONS_PER_FRAME * cycles
    method = _ON_A_CORE.format(
        per_mac=_INSTRUCTIONS_PER_MAC, per_frame=_INSTRUCTIONS_PER_FRAME, cycles=cycles
    )
    return Processor(name, core, (), False, per_mac, per_frame, method)


CORTEX_M33 = _on_a_core("Cortex-M33 with FPU and DSP", "m33", 1.4)
CORTEX_M4 = _on_a_core("Cortex-M4 with FPU and DSP", "m4", 1.4)
CORTEX_M7 = _on_a_core("Cortex-M7 with FPU and DSP", "m7", 1.0)
CORTEX_M0 = Processor(
    "Cortex-M0+, neither FPU nor DSP",
    None,
    ("-mcpu=cortex-m0plus",),
    True,
    7.8,
    150_000.0,
    "7.8 cycles is the least for which int8 networks in C run there (up to 11.4); the front end in integers "
    "without long multiplication is a guess",
)
CORTEX_A7 = Processor("Cortex-A7", None, (), False, 0.0, 0.0, "not estimated")

_KIB, _MIB = 1 << 10, 1 << 20

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            "stm32u5", "STM32U585AI (B-U585I-IOT02A)", "c", CORTEX_M33, 160_000_000, 768 * _KIB, 2 * _MIB,
            "recommended",
        ),
        Target(
            "stm32l4", "STM32L475VG", "c", CORTEX_M4, 80_000_000, 128 * _KIB, 1 * _MIB,
            "STM32L4S5VI: --fit ram=640Ki,flash=2Mi,clock=120M",
        ),
        Target("stm32h7", "STM32H743ZI", "c", CORTEX_M7, 480_000_000, 512 * _KIB, 2 * _MIB, "RAM: AXI SRAM"),
        Target(
            "stm32l0", "STM32L073RZ", "c", CORTEX_M0, 32_000_000, 20 * _KIB, 192 * _KIB,
            "for networks of a twentieth of Yamnet-256",
        ),
        Target(
            "stm32mp1", "STM32MP157 under Linux", "daemon", CORTEX_A7, 650_000_000,
            note="a bundle for the daemon",
        ),
        Target("host", "any machine with a C99 compiler", "host", note="no budgets"),
    )
}  # fmt: skip
"""A new target is one more entry."""


def target_of(name: str, fit: Mapping[str, int] | None = None) -> Target:
    """Return an entry, with the budgets of --fit in place of its own.

    Raises
    ------
    AedError
        If there is no such target, or it has no budgets.
    """
    if name not in TARGETS:
        raise AedError("no such target", where=name, expected=", ".join(TARGETS))
    target = TARGETS[name]
    if fit and target.kind == "daemon":
        raise AedError("a bundle for the daemon has no budgets to fit", where="--fit")
    if fit and "clock" in fit and target.processor is None:
        raise AedError("the load of an unknown processor cannot be estimated", where="--fit clock")
    budgets = {f"{key}_hz" if key == "clock" else f"{key}_bytes": value for key, value in (fit or {}).items()}
    return replace(target, **budgets)  # type: ignore[arg-type]
