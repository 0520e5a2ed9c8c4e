"""Libraries of networks: built whole or not at all, the same each time, each with its own network."""

from __future__ import annotations

import ctypes
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.errors import AedError, ModelError
from aed_daemon.features import log_mel
from aed_daemon.inference import load_classifier, quantize
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.native import NativeLibrary, library_path, machine, machines_of
from model_tools.cli import main
from model_tools.export.graph import read_network
from model_tools.export.native import SOURCES, build_native, native_files, with_native
from model_tools.export.toolchain import MissingToolError, host_library
from tests.manifests import manifest_values, write_model
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.networks import noise_patches
from tests.model_tools.export.other_machines import OTHERS, Other
from tests.native_model import copied, native_model, reference_scores
from tests.sounds import soundscape

ROOT = Path(__file__).parents[3]
CSRC = ROOT / "model_tools" / "export" / "csrc"

PROBE = """
import sys
from pathlib import Path
import numpy as np
from aed_daemon.inference import load_classifier
for model in map(Path, sys.argv[1:]):
    network = load_classifier(model, "native")
    patch = np.random.default_rng(5).uniform(-9, 5, (96, 64)).astype(np.float32)
    print(network.scores(patch).tolist())
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    need_host()
    return copied(DEFAULT_MODEL, tmp_path)


def another(model: Path) -> Path:
    """Exchange the kernels of the dense layer's first two classes in a copy of the shipped model."""
    data = model.read_bytes()
    kernel = read_network(data).dense.weights.kernel
    assert data.count(kernel.tobytes()) == 1
    model.write_bytes(data.replace(kernel.tobytes(), kernel[[1, 0, *range(2, len(kernel))]].tobytes()))
    values = json.loads(model.with_suffix(".json").read_text())
    values["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    model.with_suffix(".json").write_text(json.dumps(values))
    return model


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_library_lies_beside_the_model_and_nothing_else_does(model: Path) -> None:
    made = build_native(model)
    assert made == model.with_name(f"{model.stem}.{machine()}.so") == library_path(model)
    assert names(model.parent) == {model.name, f"{model.stem}.json", made.name}
    assert machine() in machines_of(made)
    # Two builds give the same bytes.
    assert made.read_bytes() == library_path(native_model()).read_bytes()


def test_it_exports_its_interface_alone() -> None:
    done = subprocess.run(["nm", "-D", "--defined-only", str(library_path(native_model()))],
                          capture_output=True, text=True, check=True)  # fmt: skip
    exported = {line.split()[-1] for line in done.stdout.splitlines()}
    wanted = {"version", "model", "input", "output", "size", "init", "scores"}
    assert exported == {f"aed_native_{name}" for name in wanted}


def test_two_networks_in_one_process_stay_apart(model: Path) -> None:
    models = [native_model(), another(model)]
    build_native(models[1])
    # White noise would be nothing but background.
    steps = np.random.default_rng(5).normal(0, 0.5, (10, 96, 64))
    patches = np.clip(np.cumsum(steps, axis=2) - 4, -9, 5).astype(np.float32)
    networks = [load_classifier(model, "native") for model in models]
    found = np.array([[network.scores(patch) for network in networks] for patch in patches])
    for number, model in enumerate(models):
        assert np.array_equal(found[:, number], reference_scores(model, patches))
    assert not np.array_equal(found[:, 0], found[:, 1])


@pytest.mark.parametrize(
    ("compiler", "target", "error", "words"),
    [
        ("no-such-machine-gcc", None, MissingToolError, "no-such-machine-gcc is not installed"),
        ("false", None, AedError, "false refuses the network"),
        ("gcc", "another", AedError, "gcc compiles for another machine: expected another, got"),
    ],
)
def test_what_fails_leaves_the_old_library_as_it_was(
    model: Path, compiler: str, target: str | None, error: type[AedError], words: str
) -> None:
    out = model.with_name("kept.so")
    out.write_bytes(b"old")
    before = names(model.parent)
    with pytest.raises(error, match=words):
        build_native(model, out, compiler=compiler, target=target)
    assert out.read_bytes() == b"old"
    assert names(model.parent) == before


def test_what_is_no_network_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = write_model(tmp_path, manifest_values())
    before = names(tmp_path)
    with pytest.raises(ModelError, match="the file is damaged") as caught:
        build_native(model)
    assert "tiny.tflite" in str(caught.value)
    assert names(tmp_path) == before


def sounding_patches() -> NDArray[np.int8]:
    manifest = load_manifest(DEFAULT_MODEL)
    mels = log_mel(soundscape(3, 12.0), manifest.spec)
    rows = quantize(mels, manifest.input.scale, manifest.input.zero_point)
    return np.stack([rows[at : at + 96] for at in range(0, len(rows) - 96, 24)])


@pytest.mark.parametrize("other", OTHERS, ids=[other.name for other in OTHERS])
def test_other_machines_make_the_same_scores(model: Path, tmp_path: Path, other: Other) -> None:
    other.need()
    made = build_native(model, compiler=f"{other.triplet}-gcc", target=other.name)
    assert made.name == f"{model.stem}.{other.name}.so"
    assert other.name in machines_of(made)
    patches = np.concatenate([noise_patches(32, 7), sounding_patches()])
    host = NativeLibrary(library_path(native_model()), native_model())
    expected = np.stack([host.scores(patch) for patch in patches])
    assert len(np.unique(expected, axis=0)) >= 40
    assert np.array_equal(other.scores(made, patches, tmp_path), expected)


def test_the_c_does_nothing_that_c_leaves_undefined(model: Path, tmp_path: Path) -> None:
    for name, text in native_files(model).items():
        (tmp_path / name).write_text(text)
    sources = [*(CSRC / name for name in SOURCES), *tmp_path.glob("*.c")]
    host_library(sources, library_path(model), includes=[CSRC, tmp_path], sanitize=True)
    command = [sys.executable, "-c", PROBE, str(model), str(native_model())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sanitized, usual = done.stdout.splitlines()
    assert sanitized == usual


def test_any_memory_can_become_a_state() -> None:
    library = ctypes.CDLL(str(library_path(native_model())))
    state = (ctypes.c_uint64 * (library.aed_native_size() // 8 + 1))()
    ctypes.memset(state, 0xFF, ctypes.sizeof(state))
    patch, scores = (ctypes.c_int8 * (96 * 64))(), (ctypes.c_int8 * 11)()
    library.aed_native_init(state)
    assert library.aed_native_scores(state, patch, scores) == 0
    usual = NativeLibrary(library_path(native_model()), native_model())
    assert usual.scores(np.zeros((96, 64), np.int8)).tolist() == list(scores)


def test_a_cache_keeps_a_library_for_each_model(model: Path, tmp_path: Path) -> None:
    copy = with_native(model, tmp_path / "cache")
    assert copy.name == model.name
    assert copy.parent.parent == tmp_path / "cache" / "native"
    assert load_classifier(copy).engine == "native"
    built = library_path(copy).stat()
    assert with_native(model, tmp_path / "cache") == copy
    assert library_path(copy).stat() == built
    values = json.loads(model.with_suffix(".json").read_text())
    values["version"] = "changed"
    model.with_suffix(".json").write_text(json.dumps(values))
    assert load_manifest(with_native(model, tmp_path / "cache")).version == "changed"
    assert len(names(tmp_path / "cache" / "native")) == 2


def test_the_command_makes_it(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "elsewhere" / "x.so"
    assert main(["native", "--model", str(model), "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "library": str(out),
        "machine": machine(),
        "bytes": out.stat().st_size,
        "model": "yamnet256-esc10",
    }
    assert not library_path(model).exists()


def test_the_command_says_what_is_wrong(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.write_bytes(model.read_bytes()[:-1])
    assert main(["native", "--model", str(model)]) == 3
    assert "not the one that its manifest describes" in capsys.readouterr().err
    assert main(["native", "--model", str(DEFAULT_MODEL), "--out", str(model.parent)]) == 1
    assert str(model.parent) in capsys.readouterr().err


@pytest.mark.parametrize("command", [["native"], ["export", "--target", "host", "--out", "out"]])
def test_a_missing_package_is_named(
    command: list[str], model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tflite", None)
    monkeypatch.chdir(model.parent)
    assert main([*command, "--model", str(model)]) == 1
    assert "tflite, which reads models, is not installed. pip install tflite." in capsys.readouterr().err
    assert names(model.parent) == {model.name, f"{model.stem}.json"}
