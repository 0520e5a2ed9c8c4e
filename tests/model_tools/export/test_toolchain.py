from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from aed_daemon.errors import AedError
from model_tools.export.toolchain import (
    CORES,
    Core,
    Emulated,
    MissingToolError,
    arm_object_sizes,
    arm_program,
    arm_sizes,
    host_library,
    host_program,
    run,
)
from tests.model_tools.export.compilers import need, need_emulator, need_host

LOOP = """
static __attribute__((noinline)) void loop(uint32_t rounds) {
    __asm__ volatile("1: subs %0, %0, #1\\n\\tbne 1b" : "+r"(rounds) : : "cc");
}
static uint32_t measured(uint32_t rounds) {
    uint32_t begin = aed_instructions();
    loop(rounds);
    return aed_instructions() - begin;
}
int main(void) {
    uint32_t few = measured(1000), many = measured(1001000);
    aed_print_number("difference", many - few);
    aed_print_number("few", few);
    return 0;
}
"""

STACK = """
static __attribute__((noinline)) uint32_t deep(uint32_t seed) {
    volatile uint8_t room[2000];
    for (uint32_t i = 0; i < sizeof room; i++) {
        room[i] = (uint8_t)(seed + i);
    }
    return room[seed];
}
int main(void) {
    aed_stack_paint();
    aed_print_number("before", (uint32_t)aed_stack_used());
    aed_print_number("deep", deep(7));
    aed_print_number("after", (uint32_t)aed_stack_used());
    return 0;
}
"""

FILES = """
int main(void) {
    char piece[6] = {0};
    aed_print_number("length", (uint32_t)aed_file_length("in.txt"));
    aed_print_number("read", (uint32_t)aed_read_file("in.txt", piece, 5, 3));
    aed_print(piece);
    aed_print("\\n");
    aed_print_number("rest", (uint32_t)aed_read_file("in.txt", piece, 5, 8));
    aed_print_number("missing", aed_read_file("no.txt", piece, 5, 0) == -1);
    aed_print_number("written", (uint32_t)aed_write_file("out.txt", piece, 2));
    return 0;
}
"""

RECURSION = """
static uint32_t deeper(uint32_t n) {
    volatile uint32_t room[9000];
    room[n % 9u] = n;
    return n ? deeper(n - 1u) + room[n % 9u] : 0;
}
int main(void) { return (int)deeper(10u); }
"""

WRONG_ADDRESS = "int main(void) { *(volatile uint32_t *)0xF0000000u = 1; return 0; }"

OVERFLOW = "int main(int n, char **v) { int m = 2147483646; (void)v; return (m + n + n) == 0; }"
BEYOND_AN_ARRAY = "int main(int n, char **v) { char a[2] = {0}; (void)v; return a[n + 1]; }"
BEYOND_THE_HEAP = """#include <stdlib.h>
int main(int n, char **v) {
    char *volatile heap = malloc(4);
    (void)v;
    return heap[n + 3];
}"""

FLOAT = """
static volatile float third = 1.0f / 3.0f;
static int initialised = 42, zero;
int main(void) { return initialised + zero + (int)(third * 30.0f); }
"""


def program(folder: Path, text: str, core: Core) -> Path:
    source = folder / "main.c"
    source.write_text('#include "aed_emulator.h"\n' + text)
    return arm_program(core, [source], folder / f"{core.name}.elf")


@pytest.fixture(params=CORES, ids=str)
def core(request: pytest.FixtureRequest) -> Core:
    need_emulator()
    return CORES[request.param]


def numbers(done: Emulated) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in done.text.splitlines())}


def test_instructions_are_counted_to_one(tmp_path: Path, core: Core) -> None:
    elf = program(tmp_path, LOOP, core)
    first, again = numbers(run(core, elf)), numbers(run(core, elf))
    assert abs(first["difference"] - 2_000_000) <= 1
    assert 2_000 <= first["few"] <= 2_030
    assert again == first


def test_the_stack_is_measured(tmp_path: Path, core: Core) -> None:
    found = numbers(run(core, program(tmp_path, STACK, core)))
    assert found["before"] <= 16
    assert 2_000 <= found["after"] <= 2_032
    assert found["deep"] == 14


def test_data_floats_and_exit_status(tmp_path: Path, core: Core) -> None:
    elf = program(tmp_path, FLOAT, core)
    assert run(core, elf) == Emulated(52, "")
    sizes, main = arm_sizes(elf), arm_object_sizes(elf)["main.c"]
    assert sizes["text"] > main["text"] > 0
    assert main["data"] == 4


def test_files_are_read_and_written_in_the_folder(tmp_path: Path) -> None:
    need_emulator()
    core = CORES["m33"]
    elf = program(tmp_path, FILES, core)
    place = tmp_path / "place"
    place.mkdir()
    (place / "in.txt").write_text("0123456789")
    assert run(core, elf, folder=place).text.split("\n")[:-1] == [
        "length 10", "read 5", "34567", "rest 2", "missing 1", "written 2",
    ]  # fmt: skip
    assert (place / "out.txt").read_text() == "89"


@pytest.mark.parametrize("text", [WRONG_ADDRESS, RECURSION])
def test_a_wrong_address_and_a_stack_overflow_are_faults(tmp_path: Path, text: str) -> None:
    need_emulator()
    done = run(CORES["m33"], program(tmp_path, text, CORES["m33"]))
    assert done.returncode == 255
    assert done.text.startswith("fault\n")


def test_a_program_that_never_ends_is_stopped(tmp_path: Path) -> None:
    need_emulator()
    elf = program(tmp_path, "int main(void) { for (;;) { aed_stack_used(); } }", CORES["m33"])
    with pytest.raises(AedError, match=r"m33\.elf has not ended on mps2-an505 after 2 s"):
        run(CORES["m33"], elf, timeout_s=2.0)


def test_what_the_compiler_says_is_told(tmp_path: Path) -> None:
    need_host()
    need("arm-none-eabi-gcc")
    source = tmp_path / "bad.c"
    source.write_text("int narrow(long wide);\nint narrow(long wide) { short s = wide; return s; }\n")
    with pytest.raises(AedError, match=r"(?s)arm-none-eabi-gcc refuses bad\.c: .*bad\.c:2:.*conversion from"):
        arm_program(CORES["m4"], [source], tmp_path / "bad.elf")
    with pytest.raises(AedError, match=r"(?s)gcc refuses bad\.so: .*-Werror=conversion"):
        host_library([source], tmp_path / "bad.so")


def test_a_missing_compiler_or_emulator_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"gcc is not installed\. apt-get install gcc\."):
        host_library([], tmp_path / "a.so")
    for use in (lambda: arm_program(CORES["m33"], [], tmp_path / "a"), lambda: run(CORES["m33"], tmp_path)):
        with pytest.raises(MissingToolError, match=r"apt-get install gcc-arm-none-eabi .*qemu-system-arm"):
            use()


def test_a_library_is_loaded_with_its_defines_and_headers(tmp_path: Path) -> None:
    need_host()
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "answer.h").write_text("int aed_answer(void);\n")
    (tmp_path / "answer.c").write_text('#include "answer.h"\nint aed_answer(void) { return ANSWER; }\n')
    built = host_library(
        [tmp_path / "answer.c"], tmp_path / "a.so", includes=[tmp_path / "h"], defines=["ANSWER=42"]
    )
    assert ctypes.CDLL(str(built)).aed_answer() == 42


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OVERFLOW, "overflow"),
        (BEYOND_AN_ARRAY, "out of bounds"),
        (BEYOND_THE_HEAP, "heap-buffer-overflow"),
    ],
)
def test_the_sanitizers_stop_a_program(tmp_path: Path, text: str, said: str) -> None:
    need_host()
    source = tmp_path / "main.c"
    source.write_text(text + "\n")
    done = subprocess.run(
        [str(host_program([source], tmp_path / "main", sanitize=True))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
