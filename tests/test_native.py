"""The engine `native`: the scores and events of TFLite's reference kernels, and libraries that do not fit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.doctor import run_checks
from aed_daemon.errors import ModelError
from aed_daemon.events import Event, comparable
from aed_daemon.features import log_mel
from aed_daemon.inference import Classifier, available_engines, load_classifier
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.native import library_path, machine
from tests.native_model import copied, native_model, reference_scores
from tests.process import aed, toml
from tests.recordings import esc10
from tests.sounds import soundscape, write_wav

Patches = NDArray[np.float32]
CASUAL = {"threshold_on": 0.2, "threshold_off": 0.1, "mode": "instant", "end_after_s": 0.5}
"""Thresholds so low that there is more than the sounds of the soundscape."""


@pytest.fixture
def native() -> Classifier:
    return load_classifier(native_model(), "native")


@pytest.fixture
def tflite() -> Classifier:
    if "tflite" not in available_engines():
        pytest.skip("tflite-runtime is not installed; it needs Python 3.11")
    return load_classifier(native_model(), "tflite")


def mels(samples: NDArray[np.float32]) -> Patches:
    rows = log_mel(samples, load_manifest(DEFAULT_MODEL).spec)
    return np.stack([rows[at : at + 96] for at in range(0, len(rows) - 96, 31)])


def made_up() -> Patches:
    """Return patches of any values, of few values, and of the limits of the input."""
    rng = np.random.default_rng(11)
    any_value = rng.uniform(-9.5, 6.0, (80, 96, 64))
    plain = rng.uniform(-9.5, 6.0, (40, 1, 1)) + rng.normal(0, 0.3, (40, 96, 64))
    edges = np.where(rng.random((20, 96, 64)) < 0.5, -40.0, 40.0)
    flat = np.linspace(-12.0, 8.0, 20)[:, None, None] * np.ones((1, 96, 64))
    return np.asarray(np.concatenate([any_value, plain, edges, flat]), np.float32)


def noise() -> Patches:
    rng = np.random.default_rng(12)
    loudness = 10 ** np.repeat(rng.uniform(-4, -0.5, 20), 16_000)
    return mels((loudness * rng.standard_normal(len(loudness))).astype(np.float32))


def recorded() -> Patches:
    soundfile = pytest.importorskip("soundfile")
    from scipy.signal import resample_poly

    patches = []
    for _, path in esc10(1)[::4]:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        patches.append(mels(resample_poly(samples, 16_000, rate_hz).astype(np.float32))[::4])
    return np.concatenate(patches)


@pytest.mark.parametrize(
    ("make", "least"),
    [(made_up, 160), (noise, 60), (lambda: mels(soundscape(2, 12.0)), 30), (recorded, 60)],
    ids=["made up", "noise", "soundscape", "ESC-10"],
)
def test_scores_are_those_of_the_reference_kernels(
    native: Classifier, make: Callable[[], Patches], least: int
) -> None:
    patches = make()
    assert len(patches) >= least
    ours = np.stack([native.scores(rows) for rows in patches])
    assert ours.dtype == np.int8
    assert np.array_equal(ours, reference_scores(native_model(), patches))
    assert len(np.unique(ours)) >= 8


def test_a_patch_leaves_nothing_behind(native: Classifier) -> None:
    first, *others = made_up()[::20]
    alone = native.scores(first)
    kept = alone.copy()
    for patch in others:
        native.scores(patch)
    assert np.array_equal(alone, kept)
    assert np.array_equal(native.scores(first), kept)
    assert np.array_equal(load_classifier(native_model()).scores(first), kept)


def test_a_detector_gives_the_events_of_the_other_exact_engine(
    native: Classifier, tflite: Classifier
) -> None:
    samples = soundscape(1, 30.0)
    config = DetectionConfig.model_validate({"defaults": CASUAL})

    def events(classifier: Classifier) -> list[object]:
        detector = Detector(classifier, config)
        found = [e for d in detector.push(samples) for e in d.events]
        return [*found, *detector.finish("shutdown")]

    expected = events(tflite)
    assert events(native) == expected
    assert len(expected) >= 10


def published(stdout: str) -> list[dict[str, object]]:
    events = [comparable(Event.model_validate_json(line)) for line in stdout.splitlines()]
    return [{key: value for key, value in event.items() if key != "engine"} for event in events]


def test_replay_with_a_configuration_gives_the_events_of_the_other_exact_engine(
    tflite: Classifier, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "scape.wav", soundscape(1, 12.0))
    config = tmp_path / "aed.toml"
    text = f'[model]\npath = "{native_model()}"\nengine = "native"\n[detection.defaults]\n'
    text += "\n".join(f"{key} = {json.dumps(value)}" for key, value in CASUAL.items())
    config.write_text(toml([f'name = "f"\ntype = "file"\npath = "{wav}"'], more=text))
    printed = {}
    for engine, options in {"native": [], "tflite": ["--engine", "tflite"]}.items():
        done = aed("replay", wav, "--json", "--config", config, *options)
        assert done.returncode == 0, done.stderr
        printed[engine] = done.stdout
        assert {json.loads(line)["engine"] for line in done.stdout.splitlines()} == {engine}
    assert published(printed["native"]) == published(printed["tflite"])
    assert len(published(printed["native"])) >= 4


def test_auto_takes_it_where_its_library_lies_beside_the_model(tmp_path: Path) -> None:
    installed = available_engines()
    assert available_engines(native_model()) == ["native", *installed]
    assert load_classifier(native_model()).engine == "native"
    without = copied(DEFAULT_MODEL, tmp_path)
    assert available_engines(without) == installed
    assert load_classifier(without).engine == installed[0]


def test_it_is_exact_and_has_the_thresholds_of_exact_engines(tmp_path: Path) -> None:
    model = copied(DEFAULT_MODEL, tmp_path)
    shutil.copy(library_path(native_model()), tmp_path)
    values = json.loads(model.with_suffix(".json").read_text())
    values["labels"][0]["xnnpack"] = {"threshold_on": 0.9, "threshold_off": 0.8}
    model.with_suffix(".json").write_text(json.dumps(values))
    classifier = load_classifier(model)
    assert (classifier.engine, classifier.exact) == ("native", True)
    assert classifier.manifest.labels[0].threshold_on == values["labels"][0]["threshold_on"] != 0.9


def test_info_and_doctor_tell_of_it(tmp_path: Path) -> None:
    facts = json.loads(aed("info", "--json", "--model", native_model()).stdout)
    assert (facts["engine"], facts["exact"], facts["engines"][0]) == ("native", True, "native")
    config = tmp_path / "aed.toml"
    model = f'[model]\npath = "{native_model()}"\nengine = "native"\n'
    config.write_text(model + '[[source]]\nname = "d"\ntype = "demo"\n')
    checks = {check.name: check for check in run_checks(config, {"HOME": str(tmp_path)})}
    assert checks["engine"].text.startswith("native, ")
    assert checks["model"].text.endswith("runs with native")


def with_library(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """Copy the model and a changed library; return the model."""
    model = copied(DEFAULT_MODEL, folder)
    library_path(model).write_bytes(change(library_path(native_model()).read_bytes()))
    return model


def refusal(model: Path, *, engine: str = "native") -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_classifier(model, "native" if engine == "native" else "auto")
    error = caught.value
    assert str(library_path(model)) in str(error)
    assert f"`model-tools native --model {model}`" in str(error)
    assert error.exit_code == 3
    return error


def test_a_missing_library_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    model = copied(DEFAULT_MODEL, tmp_path)
    error = refusal(model)
    assert error.where == f"{tmp_path}/{model.stem}.{machine()}.so"
    assert "there is no library" in str(error)
    done = aed("info", "--model", model, "--engine", "native")
    assert done.returncode == 3
    assert "model-tools native" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_library_of_another_model_is_refused(tmp_path: Path) -> None:
    digest = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())["sha256"].encode()
    model = with_library(tmp_path, lambda library: library.replace(digest, b"0" * 64))
    error = refusal(model, engine="auto")
    assert "another model" in str(error)
    assert (error.expected, error.got) == (f"sha256 {digest.decode()[:16]}…", f"{'0' * 16}…")


def test_a_library_of_another_machine_is_refused(tmp_path: Path) -> None:
    other, number = ("armv7l", 40) if machine() != "armv7l" else ("x86_64", 62)
    model = with_library(tmp_path, lambda library: library[:18] + bytes([number, 0]) + library[20:])
    error = refusal(model, engine="auto")
    assert "another machine" in str(error)
    assert error.expected == machine()
    assert other in str(error.got)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda library: library[: len(library) // 2], "cut short"),
        (lambda library: library[:-1], "cut short"),
        (lambda library: library[:40], "not a shared library"),
        (lambda library: b"#!/bin/sh\n" + library, "not a shared library"),
        (lambda library: library[:0], "not a shared library"),
        # Its type: a relocatable file.
        (lambda library: library[:16] + b"\x01\x00" + library[18:], "cannot be loaded"),
        (lambda library: library.replace(b"aed_native_version", b"aed_native_uersion"), "holds no network"),
        (lambda library: library.replace(b"aed_native_scores", b"aed_native_stores"), "holds no network"),
    ],
    ids=["half", "a byte less", "header", "script", "empty", "object file", "other names", "no scores"],
)
def test_what_is_no_such_library_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    assert words in str(refusal(with_library(tmp_path, change)))


@pytest.mark.parametrize("mode", [0o757, 0o775, 0o666])
def test_a_library_that_others_may_write_is_not_run(tmp_path: Path, mode: int) -> None:
    model = with_library(tmp_path, lambda library: library)
    library_path(model).chmod(0o755)
    assert load_classifier(model).engine == "native"
    library_path(model).chmod(mode)
    with pytest.raises(ModelError, match="others could have put it there") as caught:
        load_classifier(model)
    assert f"mode {mode:03o}" in str(caught.value)
    assert f"chmod go-w {library_path(model)}" in str(caught.value)


def test_a_library_that_others_may_exchange_is_not_run(tmp_path: Path) -> None:
    model = with_library(tmp_path, lambda library: library)
    tmp_path.chmod(0o777)
    with pytest.raises(ModelError, match="exchange it in its folder"):
        load_classifier(model)
    tmp_path.chmod(0o1777)
    assert load_classifier(model).engine == "native"


def test_a_library_of_another_user_is_not_run(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    model = with_library(tmp_path, lambda library: library)
    os.chown(library_path(model), 65_534, -1)
    with pytest.raises(ModelError, match="belongs to user 65534"):
        load_classifier(model)


def test_a_library_of_another_interface_is_refused(tmp_path: Path) -> None:
    native_model()
    model = copied(DEFAULT_MODEL, tmp_path)
    (tmp_path / "later.c").write_text("const int aed_native_version = 2;\n")
    made = [str(tmp_path / "later.c"), "-o", str(library_path(model))]
    subprocess.run(["gcc", "-shared", "-fPIC", *made], check=True)
    error = refusal(model)
    assert "another version of model-tools" in str(error)
    assert (error.expected, error.got) == ("interface 1", "2")


@pytest.mark.parametrize(("part", "key", "value"), [("input", "scale", 0.05), ("output", "zero_point", 0)])
def test_tensors_must_be_the_manifests(tmp_path: Path, part: str, key: str, value: float) -> None:
    model = copied(DEFAULT_MODEL, tmp_path)
    shutil.copy(library_path(native_model()), tmp_path)
    values = json.loads(model.with_suffix(".json").read_text())
    values[part][key] = value
    model.with_suffix(".json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=f"the {part}'s {key.replace('_', ' ')} is not the manifest's"):
        load_classifier(model, "native")


HARDENED = """
import ctypes, mmap, sys
from pathlib import Path
# What MemoryDenyWriteExecute= asks of the kernel: PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN.
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    sys.exit("no such prctl")
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    print("denied")
import numpy as np
from aed_daemon.inference import load_classifier
classifier = load_classifier(Path(sys.argv[1]), "native")
print(classifier.scores(np.zeros((96, 64), np.float32)).tolist())
"""


def test_it_works_where_no_memory_may_be_written_and_executed(native: Classifier) -> None:
    command = [sys.executable, "-c", HARDENED, str(native_model())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode and "no such prctl" in done.stderr:
        pytest.skip("the kernel has no PR_SET_MDWE: Linux 6.3 or newer does")
    scores = native.scores(np.zeros((96, 64), np.float32)).tolist()
    assert done.stdout.splitlines() == ["denied", str(scores)], done.stderr
