"""The front end in C behind ctypes, and sounds for it."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import log_mel
from aed_daemon.inference import quantize
from aed_daemon.manifest import DEFAULT_MODEL, TensorSpec, load_manifest
from aed_daemon.spec import YAMNET_256 as SPEC
from aed_daemon.spec import FeatureSpec
from model_tools.export.front_end_c import HEADER, SOURCES, front_end_tables
from model_tools.export.toolchain import Core, arm_program, host_library, host_program
from tests.model_tools.export.compilers import need_emulator, need_host
from tests.sounds import to_s16

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / "model_tools" / "export" / "csrc"
INPUT = load_manifest(DEFAULT_MODEL).input
HOP = SPEC.hop_length
VARIANTS = {"float": (), "fixed": ("AED_FIXED_POINT",)}

Pcm = NDArray[np.int16]
Rows = NDArray[np.int8]


class FrontEnd:
    """The C on this machine, with a state of its own."""

    def __init__(self, library: Path, mels: int = SPEC.n_mels) -> None:
        self._c = ctypes.CDLL(str(library))
        self._mels = mels
        self._c.state_size.restype = self._c.push.restype = ctypes.c_size_t
        self.size = int(self._c.state_size())
        # Nothing may depend on what the memory held before.
        self._state = (ctypes.c_uint32 * (self.size // 4 + 1))(*[0xDEADBEEF] * (self.size // 4 + 1))
        self._c.aed_front_end_init(self._state)

    def push(self, pcm: Pcm) -> Rows:
        blocks = len(pcm) // HOP
        assert blocks * HOP == len(pcm)
        rows = np.zeros((blocks, self._mels), np.int8)
        count = self._c.push(self._state, _pointer(pcm), ctypes.c_size_t(blocks), _pointer(rows))
        return rows[:count]

    def reset(self) -> None:
        self._c.aed_front_end_reset(self._state)

    def magnitudes(self, frame: Pcm) -> NDArray[np.float32]:
        out = np.full(256, np.nan, np.float32)
        self._c.magnitudes(_pointer(frame), _pointer(out))
        return out[1:]

    def quantise(self, bits: NDArray[np.uint32]) -> Rows:
        out = np.empty(len(bits), np.int8)
        self._c.quantise(_pointer(bits), ctypes.c_size_t(len(bits)), _pointer(out))
        return out


def _pointer(values: NDArray[np.generic]) -> ctypes.c_void_p:
    assert values.flags.c_contiguous
    return values.ctypes.data_as(ctypes.c_void_p)


def generate(folder: Path, spec: FeatureSpec = SPEC, tensor: TensorSpec = INPUT) -> Path:
    """Write the header of tables, and return where."""
    folder.mkdir(exist_ok=True)
    (folder / HEADER).write_text(front_end_tables(spec, tensor))
    return folder


def library(
    folder: Path, variant: str = "float", spec: FeatureSpec = SPEC, tensor: TensorSpec = INPUT
) -> Path:
    """Build what `FrontEnd` loads; it stops at undefined behaviour."""
    need_host()
    return host_library(
        [HERE / "front_end_driver.c", CSRC / "aed_fft.c"],
        folder / f"{variant}.so",
        includes=[CSRC, generate(folder, spec, tensor)],
        defines=VARIANTS[variant],
        sanitize=True,
    )


def checked_program(folder: Path, variant: str) -> Path:
    """Build a program that stops at undefined behaviour and wrong addresses: samples' file, rows' file."""
    need_host()
    return host_program(
        [*(CSRC / name for name in SOURCES), HERE / "front_end_program.c"],
        folder / variant,
        includes=[CSRC, generate(folder)],
        defines=VARIANTS[variant],
        sanitize=True,
    )


def core_program(folder: Path, variant: str, core: Core) -> Path:
    """Build what reads in.pcm and writes out.rows on a core, and tells what it took."""
    need_emulator()
    return arm_program(
        core,
        [*(CSRC / name for name in SOURCES), HERE / "front_end_emulated.c"],
        folder / "front_end.elf",
        includes=[CSRC, generate(folder)],
        defines=VARIANTS[variant],
    )


def python_rows(pcm: Pcm, spec: FeatureSpec = SPEC, tensor: TensorSpec = INPUT) -> Rows:
    """Return what the daemon gives to the network for the same samples."""
    samples = pcm.astype(np.float32) * np.float32(spec.pcm_full_scale / 32_768)
    return quantize(log_mel(samples, spec), tensor.scale, tensor.zero_point)


def noise(seconds: float, amplitude: float, seed: int = 0) -> Pcm:
    """Return noise of a standard deviation in steps of 16 bits, clipped where it must be."""
    rng = np.random.default_rng(seed)
    return to_s16((rng.standard_normal(int(100 * seconds) * HOP) * amplitude / 32_768).astype(np.float32))


def square(period: int, count: int = 40 * HOP) -> Pcm:
    return np.where(np.arange(count) % period < period // 2, 32_767, -32_768).astype(np.int16)


def sine(hz: float, count: int = 40 * HOP) -> Pcm:
    return to_s16(np.sin(2 * np.pi * hz * np.arange(count) / 16_000).astype(np.float32))
