"""Tests that compile C or run it in the emulator: skipped where a tool is missing, failed where CI=true."""

from __future__ import annotations

import os
import shutil

import pytest

_PACKAGES = {
    "gcc": "gcc",
    "g++": "g++",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "cmake": "cmake",
    "clang": "clang",
    "cppcheck": "cppcheck",
}


def need(*programs: str) -> None:
    """Skip the test without these programs, and say what to install; fail where CI=true."""
    for program in programs:
        if shutil.which(program) is None:
            reason = f"{program} is missing: apt-get install {_PACKAGES[program]}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)


def need_host() -> None:
    """Ask for the host's compiler."""
    need("gcc")


def need_emulator() -> None:
    """Ask for the cross compiler and the emulator."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
