from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.errors import ModelError
from aed_daemon.spec import YAMNET_256, FeatureSpec

FIELDS = sorted(asdict(YAMNET_256))


def test_the_id_is_pinned() -> None:
    """It travels in manifests, caches and firmware: a change here is a change of the contract."""
    assert YAMNET_256.spec_id == "d6a6d457d78cdfa5"


def test_every_field_is_part_of_the_id() -> None:
    changed: dict[str, Any] = {
        "sample_rate_hz": 8_000, "pcm_full_scale": 32_768.0, "win_length": 399, "n_fft": 1_024,
        "hop_length": 161, "power": 2.0, "n_mels": 40, "fmin_hz": 0.0, "fmax_hz": 7_000.0,
        "log_offset": 1e-3, "patch_frames": 64,
    }  # fmt: skip
    ids = {replace(YAMNET_256, **{name: value}).spec_id for name, value in changed.items()}
    assert len(ids | {YAMNET_256.spec_id}) == len(changed) + 1


def test_a_spec_survives_the_manifest() -> None:
    assert FeatureSpec.from_dict(asdict(YAMNET_256), where="m.json") == YAMNET_256


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name: str) -> None:
    values = asdict(YAMNET_256)
    del values[name]
    with pytest.raises(ModelError, match=rf"m.json: missing field '{name}'"):
        FeatureSpec.from_dict(values, where="m.json")


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(ModelError, match="unknown field 'preemphasis'"):
        FeatureSpec.from_dict({**asdict(YAMNET_256), "preemphasis": 0.97}, where="m.json")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mel_scale", "slaney"), ("window", "hamming"), ("log", "decibel"), ("frame_origin", "centre"),
        ("n_fft", "512"), ("n_mels", True), ("hop_length", 0), ("win_length", 513), ("fmax_hz", 9_000.0),
        ("fmin_hz", -1.0), ("fmin_hz", float("nan")), ("n_fft", 512.5), ("fmax_hz", 10**400),
        ("log_offset", 0.0), ("power", 3.0), ("n_mels", 100_000),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused(name: str, value: object) -> None:
    with pytest.raises(ModelError, match=name):
        FeatureSpec.from_dict({**asdict(YAMNET_256), name: value}, where="m.json")


@given(st.dictionaries(st.sampled_from([*FIELDS, "x"]), st.none() | st.integers() | st.floats() | st.text()))
def test_only_model_errors_come_out(values: dict[str, object]) -> None:
    mixed = {**asdict(YAMNET_256), **values}
    try:
        spec = FeatureSpec.from_dict(mixed, where="m.json")
    except ModelError:
        return
    assert spec.spec_id
