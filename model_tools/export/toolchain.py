"""Compilers and the emulator: C sources to host libraries, and to programs that run on emulated cores."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from aed_daemon.errors import AedError

EMULATOR = Path(__file__).parent / "emulator"
"""Start-up code and linker scripts; `aed_emulator.h` is what a program may call."""

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-ffp-contract=off")
"""For every C file; without contraction of a * b + c, floats are the same on every core."""

_SANITIZE = ("-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all", "-g")
_HOST_PACKAGE = "gcc"
_ARM_PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_LINES_SHOWN = 6


class MissingToolError(AedError):
    """A compiler or the emulator is not installed."""


@dataclass(frozen=True)
class Core:
    """An emulated core and how to compile for it.

    Attributes
    ----------
    name : str
        "m33", "m4" or "m7".
    flags : tuple of str
        Processor, floating point unit and its calls, for gcc.
    machine : str
        QEMU's name of the board; the linker script's too.
    timer : int
        Address of the board's dual timer.
    instructions_per_tick : Fraction
        Of that timer: its period over the 64 ns that the emulator gives an instruction.
    """

    name: str
    flags: tuple[str, ...]
    machine: str
    timer: int
    instructions_per_tick: Fraction


CORES: Mapping[str, Core] = {
    core.name: core
    for core in (
        Core(
            "m33",
            ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
            "mps2-an505",
            0x50002000,
            Fraction(50, 64),
        ),
        Core(
            "m4",
            ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
            "mps2-an386",
            0x40002000,
            Fraction(40, 64),
        ),
        Core(
            "m7",
            ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
            "mps2-an500",
            0x40002000,
            Fraction(40, 64),
        ),
    )
}


class Emulated(NamedTuple):
    """What a program did: the exit status of its main, and what it printed."""

    returncode: int
    text: str


def host_library(
    sources: Sequence[Path],
    out: Path,
    *,
    includes: Sequence[Path] = (),
    defines: Sequence[str] = (),
    sanitize: bool = False,
    optimise: str = "-O2",
) -> Path:
    """Build a shared library for this machine and return `out`.

    Parameters
    ----------
    defines : sequence of str
        "NAME" or "NAME=VALUE".
    sanitize : bool
        Stop the process at undefined behaviour. Wrong addresses are found in programs only (`host_program`).

    Raises
    ------
    MissingToolError
        Without gcc.
    AedError
        If the compiler complains, with its first lines.
    """
    flags = ("-fPIC", "-shared", *(_SANITIZE if sanitize else ()))
    return _host(sources, out, flags, includes, defines, optimise)


def host_program(
    sources: Sequence[Path],
    out: Path,
    *,
    includes: Sequence[Path] = (),
    defines: Sequence[str] = (),
    sanitize: bool = False,
    optimise: str = "-O2",
) -> Path:
    """Build a program for this machine and return `out`; parameters and errors as for `host_library`.

    With `sanitize` it stops at undefined behaviour and at wrong addresses.
    """
    flags = (*_SANITIZE, "-fsanitize=address", "-fno-omit-frame-pointer") if sanitize else ()
    return _host(sources, out, flags, includes, defines, optimise)


def arm_program(
    core: Core,
    sources: Sequence[Path],
    out: Path,
    *,
    includes: Sequence[Path] = (),
    defines: Sequence[str] = (),
    optimise: str = "-O2",
) -> Path:
    """Build a program for an emulated core and return `out`; its objects and link map lie beside it.

    The start-up code of `emulator/` is added; functions and data that nothing uses are left out.

    Raises
    ------
    MissingToolError
        Without the cross compiler.
    AedError
        If the compiler complains, with its first lines.
    """
    objects = out.with_name(f"{out.name}.objects")
    objects.mkdir(parents=True, exist_ok=True)
    per_tick = core.instructions_per_tick
    common = ["arm-none-eabi-gcc", *core.flags, "-mthumb", *STRICT, "-ffunction-sections", "-fdata-sections"]
    own = [
        f"-DAED_TIMER={core.timer:#x}u",
        f"-DAED_TICKS_NUMERATOR={per_tick.numerator}u",
        f"-DAED_TICKS_DENOMINATOR={per_tick.denominator}u",
        "-O2",
    ]
    given = [optimise, *_options(includes, defines)]
    parts = [(source, own) for source in sorted(EMULATOR.glob("*.c"))] + [(path, given) for path in sources]
    linked = []
    for number, (source, options) in enumerate(parts):
        linked.append(objects / f"{number}_{source.name}.o")
        command = [*common, *options, f"-I{EMULATOR}", "-c", str(source), "-o", str(linked[-1])]
        _call(command, source.name, _ARM_PACKAGES)
    _call(
        [
            *common, "-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--fatal-warnings",
            f"-Wl,-Map={_map_of(out)}", f"-L{EMULATOR}", f"-T{EMULATOR / core.machine}.ld",
            *map(str, linked), "-lm", "-o", str(out),
        ],
        out.name,
        _ARM_PACKAGES,
    )  # fmt: skip
    return out


def arm_sizes(elf: Path) -> Mapping[str, int]:
    """Return the bytes of "text", "rodata", "data" and "bss" of a program, start-up code included.

    Flash holds text, rodata and data; RAM data and bss (and the stack, which is not counted).
    """
    printed = _call(["arm-none-eabi-size", "-A", str(elf)], elf.name, _ARM_PACKAGES)
    found = {
        name: int(size) for name, size in re.findall(r"^\.(text|rodata|data|bss)\s+(\d+)", printed, re.M)
    }
    return {name: found.get(name, 0) for name in ("text", "rodata", "data", "bss")}


def arm_object_sizes(elf: Path) -> Mapping[str, Mapping[str, int]]:
    """Return the same of each source file and library member that `arm_program` has linked, by its name."""
    linked = _map_of(elf).read_text().partition("Linker script and memory map")[2]
    place = r"^ \.(text|rodata|data|bss)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$"
    sizes: dict[str, Counter[str]] = {}
    for section, size, path in re.findall(place, linked, re.M):
        name = re.sub(r"^\d+_(.*)\.o$", r"\1", path.rpartition("/")[2])
        sizes.setdefault(name, Counter(text=0, rodata=0, data=0, bss=0))[section] += int(size, 16)
    return sizes


def run(core: Core, elf: Path, *, timeout_s: float = 120.0, folder: Path | None = None) -> Emulated:
    """Run a program of `arm_program` in the emulator.

    Parameters
    ----------
    folder : Path
        Where the program opens files.

    Raises
    ------
    MissingToolError
        Without the emulator.
    AedError
        If the program takes longer than `timeout_s`, or the emulator gives up on it.
    """
    command = [
        "qemu-system-arm", "-M", core.machine, "-display", "none", "-monitor", "none", "-serial", "none",
        "-chardev", "stdio,id=s", "-semihosting-config", "enable=on,target=native,chardev=s",
        "-icount", "shift=6", "-kernel", str(elf.absolute()),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise _missing(command[0], _ARM_PACKAGES) from None
    except subprocess.TimeoutExpired:
        raise AedError(f"{elf.name} has not ended on {core.machine} after {timeout_s:g} s") from None
    if done.returncode and done.stderr:
        raise AedError(f"the emulator has stopped {elf.name}: {_first_lines(done.stderr)}")
    return Emulated(done.returncode, done.stdout)


def _host(
    sources: Sequence[Path],
    out: Path,
    flags: Sequence[str],
    includes: Sequence[Path],
    defines: Sequence[str],
    optimise: str,
) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    options = [*STRICT, optimise, *flags, *_options(includes, defines)]
    _call(["gcc", *options, *map(str, sources), "-lm", "-o", str(out)], out.name, _HOST_PACKAGE)
    return out


def _options(includes: Sequence[Path], defines: Sequence[str]) -> list[str]:
    return [*(f"-I{folder}" for folder in includes), *(f"-D{define}" for define in defines)]


def _call(command: Sequence[str], what: str, packages: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise _missing(command[0], packages) from None
    if done.returncode:
        raise AedError(f"{command[0]} refuses {what}: {_first_lines(done.stderr)}")
    return done.stdout


def _missing(program: str, packages: str) -> MissingToolError:
    return MissingToolError(f"{program} is not installed", hint=f"apt-get install {packages}.")


def _first_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[:_LINES_SHOWN])


def _map_of(elf: Path) -> Path:
    return elf.with_name(f"{elf.name}.map")
