"""The manifest: every way in which it and the model file can fail to belong together is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aed_daemon.errors import ModelError
from aed_daemon.manifest import ModelManifest, load_manifest, manifest_path
from aed_daemon.spec import YAMNET_256
from tests.manifests import MODEL, a_manifest, manifest_values, write_model


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the valid manifest with one value replaced; `...` removes it."""
    values = manifest_values()
    *outer, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node: Any = values
    for part in outer:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return values


def test_a_valid_one(tmp_path: Path) -> None:
    manifest = load_manifest(write_model(tmp_path))
    assert manifest == a_manifest()
    assert manifest.spec == YAMNET_256
    assert manifest.slugs == ("dog", "rain", "background")
    assert load_manifest(tmp_path / "tiny.json") == manifest


def test_it_survives_being_written(tmp_path: Path) -> None:
    text = a_manifest().to_json()
    assert ModelManifest.model_validate_json(text) == a_manifest()
    assert json.loads(text)["schema"] == 1


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("schema", 2, "schema"),
        ("name", "a b", "name"),
        ("name", ..., "name: Field required"),
        ("version", "", "version"),
        ("file", "../tiny.tflite", "file"),
        ("file", "tiny.h5", "file"),
        ("file", "a\x00.tflite", "file"),
        ("sha256", "0" * 63, "sha256"),
        ("spec_id", "0" * 16, "spec_id 0000000000000000 is not that of the features"),
        ("features.n_mels", 32, "is not that of the features"),
        ("features.log_offset", 1e-3, "is not that of the features"),
        ("features.n_mels", ..., "missing field 'n_mels' in features"),
        ("features.more", 1, "unknown field 'more' in features"),
        ("features.n_mels", "64", "features.n_mels is not one that this version computes"),
        ("features.n_mels", None, "features.n_mels is not one that this version computes"),
        ("features.n_mels", [64], "features.n_mels is not one that this version computes"),
        ("features.n_mels", True, "features.n_mels is not one that this version computes"),
        ("features.n_mels", 64.5, "features.n_mels"),
        ("features.hop_length", 0, "features.hop_length is out of range"),
        ("features.window", "hamming", "features.window is not one that this version computes"),
        ("features", [], "features"),
        ("input.shape", [1, 96, 64, 1], "input.shape (1, 96, 64, 1) is not (1, 64, 96, 1)"),
        ("input.layout", "frames_mels", "input.shape (1, 64, 96, 1) is not (1, 96, 64, 1)"),
        ("input.dtype", "float32", "input.dtype"),
        ("input.scale", 0.0, "input.scale"),
        ("input.zero_point", 128, "input.zero_point"),
        ("output.shape", [1, 10], "output.shape (1, 10) is not (1, 3), one per label"),
        ("output.scale", -1.0, "output.scale"),
        ("activation", "relu", "activation"),
        ("labels", [], "labels"),
        ("labels.1.slug", "dog", "two labels have the same slug"),
        ("labels.1.slug", "loud_sound", "the slug 'loud_sound' is reserved"),
        ("labels.1.slug", "Dog", "labels.1.slug"),
        ("labels.1.threshold_off", 0.9, "labels.1: threshold_off 0.9 is above threshold_on 0.5"),
        (
            "labels.1.xnnpack",
            {"threshold_on": 0.5, "threshold_off": 0.6},
            "labels.1.xnnpack: threshold_off 0.6 is above threshold_on 0.5",
        ),
        ("labels.1.threshold_on", 1.5, "labels.1.threshold_on"),
        ("labels.1.mode", "slow", "labels.1.mode"),
        ("labels.1.colour", "red", "labels.1.colour"),
        ("gate.close_dbfs", -10.0, "gate: close_dbfs -10.0 is above open_dbfs -60.0"),
        ("provenance", ..., "provenance: Field required"),
        ("provenance.data.0.share", 2, "provenance.data.0.share"),
        ("surprise", 1, "surprise"),
    ],
)
def test_each_mismatch_is_told(tmp_path: Path, path: str, value: Any, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_manifest(write_model(tmp_path, changed(path, value)))
    assert str(caught.value).startswith(f"{tmp_path / 'tiny.json'}: not a valid manifest (")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MODEL + b"\x00", "the model file is not the one that its manifest describes"),
        (MODEL[:20], "the model file is not the one that its manifest describes"),
        (b"", "not a TensorFlow Lite model"),
        (b"\x89PNG\r\n\x1a\n" * 9, "not a TensorFlow Lite model"),
    ],
)
def test_another_model_file(tmp_path: Path, model: bytes, expected: str) -> None:
    with pytest.raises(ModelError, match=expected) as caught:
        load_manifest(write_model(tmp_path, model=model))
    assert caught.value.where == str(tmp_path / "tiny.tflite")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"other\.json: no such manifest: expected NAME\.json beside"):
        load_manifest(tmp_path / "other.tflite")
    write_model(tmp_path).unlink()
    with pytest.raises(ModelError, match=r"tiny\.tflite: cannot read the model \(No such file"):
        load_manifest(tmp_path / "tiny.tflite")


def test_folders_instead_of_files(tmp_path: Path) -> None:
    (tmp_path / "tiny.json").mkdir()
    with pytest.raises(ModelError, match=r"cannot read the manifest \(Is a directory\)"):
        load_manifest(tmp_path / "tiny.tflite")


@pytest.mark.parametrize("path", ["a\x00b.tflite", "", ".", "/", "x\udcff.tflite"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ModelError):
        load_manifest(Path(path))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_manifest_that_is_no_json(tmp_path: Path, content: bytes) -> None:
    model = write_model(tmp_path)
    manifest_path(model).write_bytes(content)
    with pytest.raises(ModelError, match="not a valid manifest"):
        load_manifest(model)


keep_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def test_thresholds_may_differ_where_the_engine_is_not_exact(tmp_path: Path) -> None:
    values = manifest_values()
    values["labels"][0]["xnnpack"] = {"threshold_on": 0.8, "threshold_off": 0.4}
    manifest = load_manifest(write_model(tmp_path, values))
    assert manifest.for_engine(exact=True) == manifest
    dog, *others = manifest.for_engine(exact=False).labels
    assert (dog.threshold_on, dog.threshold_off) == (0.8, 0.4)
    assert others == manifest.labels[1:]
    assert json.loads(manifest.to_json())["labels"][0]["threshold_on"] == 0.6


def paths_in(value: Any, path: str = "") -> list[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for name, child in inner:
        found += [f"{path}{name}", *paths_in(child, f"{path}{name}.")]
    return found


@keep_folder
@given(content=st.binary() | st.text().map(str.encode) | json_values.map(lambda v: json.dumps(v).encode()))
def test_fuzz_any_bytes(tmp_path: Path, content: bytes) -> None:
    model = write_model(tmp_path)
    manifest_path(model).write_bytes(content)
    with pytest.raises(ModelError):
        load_manifest(model)


@keep_folder
@given(path=st.sampled_from(paths_in(manifest_values())), value=json_values)
def test_fuzz_one_value(tmp_path: Path, path: str, value: Any) -> None:
    model = write_model(tmp_path, changed(path, copy.deepcopy(value)))
    try:
        manifest = load_manifest(model)
    except ModelError:
        return
    assert manifest.spec.spec_id == manifest.spec_id  # what is accepted is of use
    assert len(manifest.slugs) == manifest.output.shape[1]
