"""Exports as a user has them: built with CMake, run, put in place whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon import __version__
from aed_daemon.audio.condition import DC_BLOCK_HZ, DcBlocker
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.errors import AedError, ConfigError, ModelError
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export.emit import Order, export
from model_tools.export.fit import MODES, MisfitError
from model_tools.export.plan import Mode
from model_tools.export.targets import target_of
from tests.model_tools.export.compilers import need, need_host
from tests.model_tools.export.exports import (
    contents,
    copied,
    exported,
    heard,
    order,
    program,
    shell,
    sound_of_vectors,
)

STRICT = "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"


@pytest.mark.parametrize("mode", MODES)
def test_the_known_answers_come(mode: Mode, tmp_path: Path) -> None:
    need_host()
    made = exported(mode)
    built = program(made, made / "test" / "known_answers.c", tmp_path)
    assert shell(built, folder=tmp_path).startswith("part 0\n")


@pytest.mark.parametrize("mode", ["patch", "incremental"])
def test_what_the_example_hears_is_what_the_daemon_hears(mode: Mode, tmp_path: Path) -> None:
    need_host()
    rng = np.random.default_rng(2)
    quiet = np.rint(rng.normal(0, 40, 40_000)).astype(np.int16)
    # Where the gate is closed for longer than a patch, patches do not go on from the last one.
    silence = np.zeros(51_000, np.int16)
    sounds = np.concatenate([sound_of_vectors(), quiet, silence, sound_of_vectors(), quiet])
    # With an offset, and room for it.
    pcm = sounds // np.int16(2) + np.int16(900)
    classifier = load_classifier(None, "tflite")
    detector = Detector(classifier, DetectionConfig())
    decisions = detector.push(DcBlocker(16_000, DC_BLOCK_HZ).push((pcm / 32_768).astype(np.float32)))
    events = [event for decision in decisions for event in decision.events] + detector.finish("shutdown")
    assert {decision.gated for decision in decisions[:-10]} == {False, True}
    expected = []
    for event in events:
        frame = event.start_frame if event.end_frame is None else event.end_frame
        level = -(-event.sound.rms_cdb // 100)
        expected.append(
            f"{event.type} {event.slug} {frame // 100}.{frame % 100:02} s {level} dBFS track {event.track}"
        )
    assert len({line.split()[1] for line in expected}) > 1
    assert heard(exported(mode), pcm, tmp_path) == expected


def test_cmake_builds_it_and_ctest_passes(tmp_path: Path) -> None:
    need_host()
    need("cmake")
    build = tmp_path / "build"
    shell("cmake", "-S", exported("stream"), "-B", build, STRICT, folder=tmp_path)
    shell("cmake", "--build", build, folder=tmp_path)
    said = shell("ctest", "--test-dir", build, "--output-on-failure", folder=tmp_path)
    assert "100% tests passed, 0 tests failed out of 1" in said
    assert shell(build / "aed_listen", folder=tmp_path) == ""


def test_the_toolchain_file_builds_it_for_the_target(tmp_path: Path) -> None:
    need("cmake", "arm-none-eabi-gcc")
    made, build = exported("patch"), tmp_path / "build"
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={made}/arm-none-eabi.cmake"
    shell("cmake", "-S", made, "-B", build, toolchain, STRICT, folder=tmp_path)
    shell("cmake", "--build", build, folder=tmp_path)
    told = shell("arm-none-eabi-readelf", "-A", build / "libaed.a", folder=tmp_path)
    assert 'Tag_CPU_name: "8-M.MAIN"' in told
    assert "VFP registers" in told


def test_headers_are_cpp_too(tmp_path: Path) -> None:
    need("g++")
    source = tmp_path / "main.cpp"
    source.write_text(
        '#include "aed_selftest.h"\nstatic struct aed state;\n'
        "int main() { aed_init(&state); return aed_selftest(&state).part; }\n"
    )
    includes = f"-I{exported('patch') / 'src'}"
    shell(
        "g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", includes, source, folder=tmp_path
    )


def test_the_port_of_the_board_agrees_with_the_hal(tmp_path: Path) -> None:
    """Types and calls as in ST's stm32u5xx_hal_mdf.h and stm32u5xx_hal_uart.h."""
    need_host()
    (tmp_path / "main.h").write_text(
        "#pragma once\n#include <stdint.h>\n"
        "typedef enum {HAL_OK, HAL_ERROR, HAL_BUSY, HAL_TIMEOUT} HAL_StatusTypeDef;\n"
        "typedef enum {DISABLE, ENABLE} FunctionalState;\n"
        "typedef struct {uint32_t State;} MDF_HandleTypeDef;\n"
        "typedef struct {uint32_t Gain;} MDF_FilterConfigTypeDef;\n"
        "typedef struct {uint32_t Address; uint32_t DataLength; FunctionalState MsbOnly;}\n"
        "MDF_DmaConfigTypeDef;\n"
        "typedef struct {uint32_t State;} UART_HandleTypeDef;\n"
        "HAL_StatusTypeDef HAL_Init(void);\nvoid SystemClock_Config(void);\nvoid Error_Handler(void);\n"
        "HAL_StatusTypeDef HAL_MDF_AcqStart_DMA(MDF_HandleTypeDef *, MDF_FilterConfigTypeDef *,\n"
        "                                       const MDF_DmaConfigTypeDef *);\n"
        "void HAL_MDF_AcqHalfCpltCallback(MDF_HandleTypeDef *);\n"
        "void HAL_MDF_AcqCpltCallback(MDF_HandleTypeDef *);\n"
        "HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *, const uint8_t *, uint16_t, uint32_t);\n"
        "void __WFI(void);\n"
    )
    (tmp_path / "adf.h").write_text(
        '#include "main.h"\n'
        "extern MDF_HandleTypeDef AdfHandle0;\nextern MDF_FilterConfigTypeDef AdfFilterConfig0;\n"
        "void MX_ADF1_Init(void);\n"
    )
    (tmp_path / "gpdma.h").write_text("void MX_GPDMA1_Init(void);\n")
    (tmp_path / "icache.h").write_text("void MX_ICACHE_Init(void);\n")
    (tmp_path / "usart.h").write_text("extern UART_HandleTypeDef huart1;\nvoid MX_USART1_UART_Init(void);\n")
    examples = exported("patch") / "examples"
    port = examples / "b-u585i-iot02a" / "aed_port_b_u585i_iot02a.c"
    # On this machine a pointer does not fit into the DMA's address.
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-pointer-to-int-cast")
    shell("gcc", *strict, f"-I{tmp_path}", f"-I{examples}", "-fsyntax-only", port, folder=tmp_path)


def test_no_path_and_no_date_is_told() -> None:
    need_host()
    made = exported("patch")
    here = "|".join(re.escape(f"{place}/") for place in (made.parent, Path.cwd(), Path.home()))
    words = re.compile(rf"{here}|/tmp/|\b20[2-9]\d-\d\d-\d\d\b")
    for path in made.rglob("*"):
        if path.is_file():
            assert not words.search(path.read_text(encoding="utf-8")), path


def test_every_file_begins_with_what_it_was_made_from() -> None:
    need_host()
    manifest = load_manifest(DEFAULT_MODEL)
    for name in (
        "aed_weights.c",
        "aed_weights.h",
        "aed_rules.c",
        "aed_rules.h",
        "aed_vectors.c",
        "aed_config.h",
    ):
        first = (exported("patch") / "src" / name).read_text().splitlines()[0]
        assert manifest.sha256 in first, name


def test_no_placeholder_is_left() -> None:
    need_host()
    for path in exported("patch").rglob("*"):
        if path.is_file() and "src" not in path.parts:
            assert not re.search(r"@[A-Z]+@", path.read_text(encoding="utf-8")), path


def test_libraries_list_their_sources() -> None:
    need_host()
    made = exported("patch")
    sources = {path.name for path in (made / "src").glob("*.c")}
    for file in ("CMakeLists.txt", "zephyr/CMakeLists.txt"):
        assert set(re.findall(r"src/(\w+\.c)", (made / file).read_text())) == sources
    assert json.loads((made / "library.json").read_text())["version"] == __version__
    properties = dict(
        line.split("=", 1) for line in (made / "library.properties").read_text().splitlines() if line
    )
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "url"} <= set(properties)


@pytest.fixture(scope="module")
def without_fpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_host()
    out = tmp_path_factory.mktemp("fixed") / "export"
    large = target_of("stm32l0", {"ram": 64_000, "clock": 3_200_000_000})
    export(order(large), out)
    return out


def test_without_an_fpu_the_front_end_computes_in_integers(without_fpu: Path, tmp_path: Path) -> None:
    made = without_fpu
    built = program(made, made / "test" / "known_answers.c", tmp_path)
    assert shell(built, folder=tmp_path).startswith("part 0\n")
    main = tmp_path / "main.c"
    main.write_text(
        '#include "aed_frontend.h"\n#ifndef AED_FIXED_POINT\n#error "floats"\n#endif\n'
        "int main(void) { return (int)sizeof(aed_real) - (int)sizeof(int32_t); }\n"
    )
    shell("gcc", "-std=c99", f"-I{made / 'src'}", "-fsyntax-only", main, folder=tmp_path)
    assert "-mcpu=cortex-m0plus" in (made / "arm-none-eabi.cmake").read_text()
    assert "select FPU" not in (made / "zephyr" / "Kconfig").read_text()
    assert "estimated" in json.loads((made / "report.json").read_text())["flash"]["method"]


def test_without_an_fpu_it_compiles_for_the_processor(without_fpu: Path, tmp_path: Path) -> None:
    need("cmake", "arm-none-eabi-gcc")
    build = tmp_path / "build"
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={without_fpu}/arm-none-eabi.cmake"
    shell(
        "cmake",
        "-S",
        without_fpu,
        "-B",
        build,
        toolchain,
        STRICT,
        folder=tmp_path,
    )
    shell("cmake", "--build", build, folder=tmp_path)
    undefined = shell("arm-none-eabi-nm", "--undefined-only", build / "libaed.a", folder=tmp_path)
    assert not re.search(r"__aeabi_f(add|mul|sub)|sqrtf", undefined)


def test_a_folder_that_exists_is_kept_and_two_exports_are_the_same_bytes(tmp_path: Path) -> None:
    need_host()
    made = copied("patch", tmp_path).rename(tmp_path / "another name")
    (made / "mine.txt").write_text("notes\n")
    before = contents(made)
    with pytest.raises(AedError, match=r"the folder exists\. Give another one, or --force"):
        export(order(), made)
    assert contents(made) == before
    export(order(), made, force=True)
    assert contents(made) == contents(exported("patch"))
    assert [path.name for path in tmp_path.iterdir()] == ["another name"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_export_is_never_replaced(tmp_path: Path, force: bool) -> None:
    folder, file = tmp_path / "thesis", tmp_path / "file"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years\n")
    file.write_text("text\n")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(AedError, match="thesis: the folder holds something else"):
        export(order(), folder, force=force)
    for path in (file, tmp_path / "link"):
        with pytest.raises(AedError, match=f"{path.name}: not a folder"):
            export(order(), path, force=force)
    assert (folder / "thesis.tex").read_text() == "years\n"


@pytest.mark.parametrize("given", [{"ram": 30_000}, {"flash": 100_000}])
def test_a_refusal_leaves_nothing(tmp_path: Path, given: dict[str, int]) -> None:
    need_host()
    with pytest.raises(MisfitError, match="does not fit"):
        export(order(target_of("host", given)), tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_chosen_that_fits(tmp_path: Path) -> None:
    need_host()
    whole = json.loads((exported("patch") / "report.json").read_text())["ram"]["total_bytes"]
    other = json.loads((exported("stream") / "report.json").read_text())["ram"]["total_bytes"]
    if other >= whole:
        pytest.skip("stream mode takes more RAM than patch mode")
    told = export(order(target_of("host", {"ram": whole - 1}), mode=None), tmp_path / "export")
    assert told["mode"] == "stream"


def changed_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    model = folder / DEFAULT_MODEL.name
    shutil.copy(DEFAULT_MODEL, model)
    told = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    change(told)
    model.with_suffix(".json").write_text(json.dumps(told))
    return model


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m["input"].update(scale=0.05), "the network's input's scale is not the manifest's"),
        (lambda m: m["input"].update(zero_point=3), "the network's input's zero point is not the manifest's"),
        (
            lambda m: m["input"].update(layout="frames_mels", shape=[1, 96, 64, 1]),
            "the network's layout is not the manifest's: expected frames_mels, got mels_frames",
        ),
        (lambda m: m.update(activation="sigmoid"), "the network's activation is not the manifest's"),
        (
            lambda m: (m["labels"].pop(), m["output"].update(shape=[1, len(m["labels"])])),
            "the network's number of classes is not the manifest's",
        ),
        (lambda m: m.update(sha256="0" * 64), "not the one that its manifest describes"),
    ],
)
def test_a_manifest_of_another_model(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    model = changed_manifest(tmp_path, change)
    with pytest.raises(ModelError, match=told):
        export(order(model=model), tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_nothing_to_listen_for(tmp_path: Path) -> None:
    nothing = DetectionConfig.model_validate({"defaults": {"enabled": False}})
    with pytest.raises(ConfigError, match="every class is disabled"):
        export(order(detection=nothing), tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_orders_are_values() -> None:
    assert order() == Order(DEFAULT_MODEL, target_of("host"), "patch", None, DetectionConfig(), False)
