"""What `verify` says of a good export, and of exports in which something was changed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aed_daemon.errors import AedError, ModelError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export import verify as module
from model_tools.export.bundle import bundle
from model_tools.export.fit import MODES
from model_tools.export.footprint import STACK_BYTES
from model_tools.export.measure import measured, numbers, told
from model_tools.export.plan import Mode
from model_tools.export.targets import target_of
from model_tools.export.toolchain import CORES
from model_tools.export.trace import compared, inputs_of
from model_tools.export.verify import failures, read_report, table, verify
from tests.model_tools.export.compilers import need_emulator, need_host
from tests.model_tools.export.exports import copied, exported, order, with_one_changed

Change = Callable[[str], str]


def difference(export: Path, name: str, work: Path) -> str:
    """Return what the known answers tell on this machine where one file has changed."""
    built = with_one_changed(export, name, work)
    done = subprocess.run([str(built)], capture_output=True, text=True, check=False)
    return told(numbers(done.stdout))


def test_differences_are_told_by_their_part() -> None:
    last = {"place": 7, "detail": 63, "expected": 5, "found": 2**32 - 6}
    assert told({"part": 0, **last}) == ""
    assert told({"part": 1, **last}) == "front end: row 7, band 63: expected 5, got -6"
    assert told({"part": 2, **last}) == "network: stage 7, its rows differ"
    assert told({"part": 3, **last}) == "scores: decision 7, class 63: expected 5, got -6"
    assert told({"part": 4, **last, "detail": 0}).startswith("events: event 7, ")


def changed(folder: Path, name: str, change: Change, mode: Mode = "patch") -> Path:
    export = copied(mode, folder)
    file = export / "src" / name
    text = file.read_text()
    assert change(text) != text
    file.write_text(change(text))
    return export


def in_table(table: str, place: int, by: int) -> Change:
    """Return what adds to one number of a table."""

    def change(text: str) -> str:
        head, begin, rest = text.partition(f" {table}[")
        body, end, tail = rest.partition("};")
        numbers = list(re.finditer(r"-?\d+(?=u?[,}])", body))
        number = numbers[place]
        moved = f"{body[: number.start()]}{int(number[0]) + by}{body[number.end() :]}"
        return head + begin + moved + end + tail

    return change


@pytest.mark.timeout(600)
def test_every_core_and_this_machine_compute_the_same(tmp_path: Path) -> None:
    need_host()
    need_emulator()
    lines: list[str] = []
    found = verify(exported("patch"), tell=lines.append)
    assert failures(found) == []
    assert found["host"] == {"difference": ""}
    assert list(found["cores"]) == list(CORES)
    state = json.loads((exported("patch") / "report.json").read_text())["ram"]["state_bytes"]
    for core in found["cores"].values():
        assert core["difference"] == ""
        assert core["state_bytes"] == state
        assert 0 < core["stack_bytes"] <= STACK_BYTES
        assert core["network_instructions"] == sum(core["stage_instructions"])
        assert core["network_instructions"] <= 27e6
        assert core["front_end_instructions_per_frame"] <= 25_000
        assert core["step_instructions_max"] < 1e6
    # It is of the model in the package.
    assert found["network"]["difference"] == ""
    assert found["network"]["bytes"] > 1_000_000
    assert len(lines) == 2 + len(CORES)
    lines = table(found).splitlines()
    assert lines[1].split()[-1] == "equal"
    assert f"{found['cores']['m33']['network_instructions']:,}" in table(found)


@pytest.mark.parametrize("mode", MODES)
def test_the_network_is_the_models_layer_by_layer(mode: Mode, tmp_path: Path) -> None:
    need_host()
    report = read_report(exported(mode))
    found = compared(exported(mode), report, DEFAULT_MODEL, 4, tmp_path)
    assert found.first == ""
    assert found.differing == 0
    assert found.bytes > 1_000_000
    assert ("BUILTIN_REF" if mode == "patch" else "NumPy") in found.reference


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("aed_front_end_tables.h", in_table("aed_log_steps", 150, 2**21), "front end: row"),
        ("aed_weights.c", in_table("stage0_kernel", -3, 7), "network: stage 0, its rows differ$"),
        ("aed_weights.c", in_table("stage3_depthwise_kernel", 130, -3), "network: stage 4, its rows differ"),
        ("aed_weights.c", in_table("stage3_kernel", 3_000, 2), "network: stage 3, its rows differ$"),
        ("aed_weights.c", in_table("aed_dense_kernel", 300, -60), "scores: decision"),
        (
            "aed_rules.c",
            lambda text: re.sub(r"(\n    \{\d+, \d+, )\d+(,)", r"\g<1>1000\2", text),
            "events: event",
        ),
        ("aed_config.h", lambda text: re.sub(r"AED_ROWS \d+", "AED_ROWS 32", text), "events: event"),
    ],
)
def test_what_was_changed_is_found(name: str, change: Change, said: str, tmp_path: Path) -> None:
    need_host()
    found = difference(changed(tmp_path, name, change), name, tmp_path)
    assert re.match(said, found), found


def test_the_first_layer_and_byte_that_differ_are_named(tmp_path: Path) -> None:
    need_host()
    export = changed(tmp_path, "aed_weights.c", in_table("stage2_kernel", 1_500, 2))
    found = compared(export, read_report(export), DEFAULT_MODEL, 2, tmp_path)
    assert re.match(
        r"layer3_pointwise, row \d+, column \d+, channel (\d+): expected -?\d+, got -?\d+$", found.first
    )
    assert 0 < found.differing < found.bytes


def test_the_sanitizers_are_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_host()

    def change(text: str) -> str:
        return text.replace("values[AED_VECTOR_STAGE_BYTES]", "values[AED_VECTOR_STAGE_BYTES / 2]")

    monkeypatch.setattr(module, "CORES", {})
    found = verify(changed(tmp_path, "aed_selftest.c", change))
    assert found["host"]["difference"].startswith("stopped:")
    assert "stack-buffer-overflow" in found["host"]["difference"]


def test_a_difference_in_the_emulator_is_found(tmp_path: Path) -> None:
    need_host()
    need_emulator()
    export = copied("patch", tmp_path)
    level = export / "src" / "aed_level.c"
    head, include, rest = level.read_text().partition('#include "aed_level.h"\n')
    declared = "struct aed_level_frame {name}(const aed_sample samples[AED_LEVEL_SAMPLES])"
    right = declared.format(name="right_level_of")
    assert "aed_level_of(" in rest
    level.write_text(
        f"{head}{include}static {right};\n"
        + rest.replace(
            "struct aed_level_frame aed_level_of(", "static struct aed_level_frame right_level_of("
        )
        + declared.format(name="aed_level_of")
        + "\n{\n    struct aed_level_frame frame = right_level_of(samples);\n"
        + "#ifdef __arm__\n    frame.rms_cdb = (int16_t)(frame.rms_cdb - 1);\n#endif\n    return frame;\n}\n"
    )
    assert difference(export, level.name, tmp_path) == ""
    found = measured(export / "src", CORES["m33"], tmp_path)
    assert re.match(r"events: event 0, rms_cdb: expected -\d+, got -\d+$", found.difference)
    host = {"difference": ""}
    assert failures({"host": host, "cores": {"m33": found.as_dict()}}) == [f"m33: {found.difference}"]
    assert found.difference in table({"host": host, "cores": {"m33": found.as_dict()}})


def test_another_model_is_refused(tmp_path: Path) -> None:
    need_host()
    report = read_report(exported("patch"))
    report["model"]["sha256"] = "0" * 64
    with pytest.raises(ModelError, match="the export is of another model: expected sha256 0000000000000000…"):
        compared(exported("patch"), report, DEFAULT_MODEL, 1, tmp_path)


def test_without_an_emulator_the_rest_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_host()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gcc", "as", "ld"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    found = verify(exported("patch"))
    assert found["host"] == {"difference": ""}
    assert "arm-none-eabi-gcc is not installed. apt-get install" in found["cores"]["m33"]["skipped"]
    assert failures(found) == []
    assert "is not installed" in table(found)


def test_too_much_stack_is_a_failure() -> None:
    core = {"difference": "", "stack_bytes": STACK_BYTES + 1}
    assert failures({"host": {"difference": ""}, "cores": {"m4": core}}) == [
        f"m4: {STACK_BYTES + 1} bytes of stack, {STACK_BYTES} are reserved"
    ]


@pytest.mark.parametrize("content", [None, "no JSON", "[]", "{}"])
def test_no_export_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(AedError, match=r"no export here: expected a folder with report\.json"):
        verify(tmp_path)


def test_inputs_are_of_many_kinds_and_always_the_same() -> None:
    from model_tools.export.graph import read_network

    network = read_network(DEFAULT_MODEL.read_bytes())
    rows = inputs_of(network, 30)
    assert rows.shape == (30 * 96, 64)
    assert (rows == inputs_of(network, 30)).all()
    assert len({patch.tobytes() for patch in rows.reshape(30, -1)}) == 30


def test_a_bundle_is_what_the_daemon_can_run(tmp_path: Path) -> None:
    made = tmp_path / "bundle"
    bundle(order(target_of("stm32mp1"), mode=None), made)
    assert verify(made) == {"bundle": {"difference": ""}}
    assert table(verify(made)) == "bundle: complete\n"
    config = made / "aed.toml"
    config.write_text(config.read_text().replace("yamnet256-esc10.tflite", "other.tflite"))
    assert failures(verify(made)) == ["bundle: aed.toml names other.tflite, not yamnet256-esc10.tflite"]
    next(made.glob("*.whl")).unlink()
    config.write_text(config.read_text().replace("other.tflite", "yamnet256-esc10.tflite"))
    assert "whl is missing" in failures(verify(made))[0]
