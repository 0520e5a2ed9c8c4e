"""The C of a network as a shared library beside its model: found, looked at, loaded, asked."""

from __future__ import annotations

import ctypes
import os
import platform
import stat
import struct
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.manifest import manifest_path

_VERSION = 1
"""Of the interface, as `model_tools/export/csrc/aed_native.h` has it."""

_ELF_MACHINES = {"i686": 3, "armv6l": 40, "armv7l": 40, "x86_64": 62, "aarch64": 183, "riscv64": 243}

_IN_32_BITS = {"x86_64": "i686", "aarch64": "armv7l", "armv8l": "armv7l"}
"""What a 64-bit kernel says of the machine -> what a 32-bit program on it is for."""

_HEADER_BYTES = 64


class NativeTensor(NamedTuple):
    """A tensor of the .tflite that a library was made from: real = scale * (q - zero_point)."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int


class _Tensor(ctypes.Structure):
    _fields_ = (("shape", ctypes.c_int32 * 4), ("zero_point", ctypes.c_int32), ("scale", ctypes.c_float))


class NativeLibrary:
    """A network's C, compiled for this machine; to be used by one thread at a time.

    Parameters
    ----------
    path : Path
        What `model-tools native` has made.
    model : Path
        The model that it belongs to, for messages.

    Attributes
    ----------
    sha256 : str
        Of the .tflite that it was made from.
    input, output : NativeTensor
        Of that file.

    Raises
    ------
    ModelError
        If it is missing, not such a library, of another machine, writable for others, or cannot be loaded.
    """

    def __init__(self, path: Path, model: Path) -> None:
        self._path, self._model = path.absolute(), model
        with self._open() as file:
            self._check_owner(os.fstat(file.fileno()))
            self._check_file(file)
        try:
            library = ctypes.CDLL(str(self._path))
        except OSError as error:
            reason = str(error).removeprefix(f"{self._path}: ")
            raise self.refused(f"the library cannot be loaded ({reason})") from None
        try:
            self._take(library)
        except (AttributeError, ValueError):
            raise self.refused("this library holds no network") from None

    def _take(self, library: ctypes.CDLL) -> None:
        version = ctypes.c_int32.in_dll(library, "aed_native_version").value
        if version != _VERSION:
            raise self.refused(
                "the library was made by another version of model-tools",
                expected=f"interface {_VERSION}",
                got=str(version),
            )
        self.sha256 = bytes((ctypes.c_char * 64).in_dll(library, "aed_native_model")).decode("ascii")
        self.input = _tensor(library, "aed_native_input", 4)
        self.output = _tensor(library, "aed_native_output", 2)
        library.aed_native_size.restype = ctypes.c_size_t
        words = -(-library.aed_native_size() // 8)
        self._state = (ctypes.c_uint64 * words)()
        library.aed_native_init(self._state)
        self._patch = np.zeros(int(np.prod(self.input.shape)), np.int8)
        self._scores = np.zeros(self.output.shape[1], np.int8)
        self._network = library.aed_native_scores
        self._network.argtypes = [ctypes.c_void_p] * 3
        self._arguments = (self._state, self._patch.ctypes.data, self._scores.ctypes.data)

    def scores(self, patch: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the scores, int8 (classes,), of a patch, int8 (frames, mels) as the input is quantised."""
        self._patch[:] = patch.reshape(-1)
        if self._network(*self._arguments) != 0:
            raise RuntimeError(f"{self._path} has made no scores")
        return self._scores.copy()

    def refused(self, what: str, *, expected: str | None = None, got: str | None = None) -> ModelError:
        """Return the error that says what is wrong with the library, and how to mend it."""
        hint = f"`model-tools native --model {self._model}` makes it for the machine that it is run on."
        return ModelError(what, where=str(self._path), expected=expected, got=got, hint=hint)

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            raise self.refused("there is no library of the network") from None
        except OSError as error:
            raise self.refused(f"cannot read the library ({error.strerror})") from None

    def _check_owner(self, status: os.stat_result) -> None:
        """Refuse code that somebody else than root or this user may have written."""
        if not stat.S_ISREG(status.st_mode):
            raise self.refused("not a shared library")
        if status.st_uid not in (0, os.geteuid()):
            raise self._unsafe(f"it belongs to user {status.st_uid}", f"chown root {self._path}")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = f"{stat.S_IMODE(status.st_mode):03o}"
            raise self._unsafe(f"others may write it (mode {mode})", f"chmod go-w {self._path}")
        folder = self._path.parent
        access = folder.stat().st_mode
        if access & stat.S_IWOTH and not access & stat.S_ISVTX:
            raise self._unsafe("others may exchange it in its folder", f"chmod o-w {folder}")

    def _unsafe(self, got: str, command: str) -> ModelError:
        """Return the error that says why this code is not run."""
        return ModelError(
            "the library is not loaded: it is code, and others could have put it there",
            where=str(self._path),
            expected="root's or this user's, written by nobody else",
            got=got,
            hint=f"If it is yours: {command}",
        )

    def _check_file(self, file: BinaryIO) -> None:
        """Look at the file before it is mapped: one that is cut short would end this process."""
        try:
            head, size = file.read(_HEADER_BYTES), file.seek(0, 2)
        except OSError as error:
            raise self.refused(f"cannot read the library ({error.strerror})") from None
        if len(head) < _HEADER_BYTES or head[:4] != b"\x7fELF":
            raise self.refused("not a shared library")
        expected, found = machine(), _machines_of(head)
        if expected in _ELF_MACHINES and expected not in found:
            raise self.refused(
                "the library is of another machine",
                expected=expected,
                got=" or ".join(found) or "an unknown one",
            )
        # The section headers are the last part of the file.
        fields = "40xQ10xHH" if head[4] == 2 else "32xI10xHH"
        at, each, count = struct.unpack_from(_byte_order(head) + fields, head)
        if at + each * count > size:
            raise self.refused(
                "the library is cut short", expected=f"{at + each * count} bytes", got=str(size)
            )


def machine() -> str:
    """Return what this process runs on, as libraries are named by it: x86_64, aarch64, armv7l."""
    name = platform.machine()
    return name if sys.maxsize > 1 << 32 else _IN_32_BITS.get(name, name)


def machines_of(library: Path) -> list[str]:
    """Return the machines that a shared library is for, by their names; empty for others than those known."""
    with library.open("rb") as file:
        return _machines_of(file.read(_HEADER_BYTES))


def library_path(model: Path, machine_name: str | None = None) -> Path:
    """Return NAME.MACHINE.so beside NAME.tflite, for this machine if none is named."""
    manifest = manifest_path(model)
    return manifest.with_name(f"{manifest.stem}.{machine_name or machine()}.so")


def _machines_of(head: bytes) -> list[str]:
    (number,) = struct.unpack_from(_byte_order(head) + "18xH", head)
    return [name for name, known in _ELF_MACHINES.items() if known == number]


def _byte_order(head: bytes) -> str:
    return ">" if head[5] == 2 else "<"


def _tensor(library: ctypes.CDLL, name: str, dimensions: int) -> NativeTensor:
    found = _Tensor.in_dll(library, name)
    return NativeTensor(tuple(found.shape[:dimensions]), float(found.scale), int(found.zero_point))
