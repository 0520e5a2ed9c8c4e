"""Machines that Linux runs on besides this one: their compilers, and their programs in the emulator."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from model_tools.export.toolchain import STRICT

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / "model_tools" / "export" / "csrc"
_PACKAGES = {"aarch64": "libc6-dev-arm64-cross", "armv7l": "libc6-dev-armhf-cross"}


class Other(NamedTuple):
    """Another machine: its name, Debian's name of it, and the program that emulates it for one process."""

    name: str
    triplet: str
    emulator: str

    def need(self) -> None:
        """Skip the test without compiler, emulator and C library, and say what to install."""
        missing = [p for p in (f"{self.triplet}-gcc", self.emulator) if shutil.which(p) is None]
        if not Path("/usr", self.triplet, "include", "dlfcn.h").exists():
            missing.append("its C library")
        if missing:
            packages = f"gcc-{self.triplet} {_PACKAGES[self.name]} qemu-user"
            reason = f"missing: {', '.join(missing)}: apt-get install {packages}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)

    def scores(self, library: Path, patches: NDArray[np.int8], work: Path) -> NDArray[np.int8]:
        """Return what a library for this machine makes of patches, int8 (n, classes)."""
        program = work / "program"
        source = HERE / "native_program.c"
        gcc = [f"{self.triplet}-gcc", *STRICT, f"-I{CSRC}", str(source), "-o", str(program)]
        subprocess.run(gcc, check=True)
        emulated = [self.emulator, "-L", f"/usr/{self.triplet}", str(program), str(library)]
        done = subprocess.run(emulated, input=patches.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.int8).reshape(len(patches), -1)


OTHERS = (
    Other("aarch64", "aarch64-linux-gnu", "qemu-aarch64"),
    Other("armv7l", "arm-linux-gnueabihf", "qemu-arm"),
)
