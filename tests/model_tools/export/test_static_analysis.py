"""What other readers of C say of an export: cppcheck and clang."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model_tools.export.fit import MODES
from model_tools.export.plan import Mode
from model_tools.export.toolchain import STRICT
from tests.model_tools.export.compilers import need, need_host
from tests.model_tools.export.exports import exported

_CHECKS = ("--std=c99", "--enable=warning,style,performance,portability", "--quiet", "--error-exitcode=1")

# It would move a row that a pointer holds into a block that the pointer outlives.
_MISTAKEN = "--suppress=variableScope"


def sources(made: Path) -> list[Path]:
    """Return all C of an export but the weights, which are numbers only, and the port of the board."""
    found = [*(made / "src").glob("*.c"), *(made / "test").glob("*.c"), *(made / "examples").glob("*.c")]
    return [path for path in sorted(found) if path.name != "aed_weights.c"]


def cppcheck(files: list[Path], includes: list[Path], *options: str) -> subprocess.CompletedProcess[str]:
    need("cppcheck")
    command = ["cppcheck", *_CHECKS, _MISTAKEN, *options, *(f"-I{folder}" for folder in includes)]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-DAED_FIXED_POINT",)], ids=["float", "fixed"])
@pytest.mark.parametrize("mode", MODES)
def test_cppcheck_finds_nothing(mode: Mode, options: tuple[str, ...]) -> None:
    need_host()
    made = exported(mode)
    done = cppcheck(sources(made), [made / "src", made / "examples"], *options)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_cppcheck_would_find_something(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.c"
    wrong.write_text("int last(void) { int values[4] = {0}; return values[4]; }\n")
    done = cppcheck([wrong], [])
    assert done.returncode == 1
    assert "arrayIndexOutOfBounds" in done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_clang_accepts_it(mode: Mode) -> None:
    need_host()
    need("clang")
    made = exported(mode)
    files = [*sources(made), made / "src" / "aed_weights.c"]
    includes = [f"-I{made / 'src'}", f"-I{made / 'examples'}"]
    command = ["clang", *STRICT, "-O2", "-fsyntax-only", *includes, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
