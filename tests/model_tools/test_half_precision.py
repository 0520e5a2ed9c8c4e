from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aed_daemon.errors import AedError, ModelError
from model_tools.half_precision import half_path, read_half, write_half


def test_weights_come_back_to_half_precision(tmp_path: Path) -> None:
    model = tmp_path / "fold1-seed1.tflite"
    weights = {"logits/kernel": np.random.default_rng(0).normal(size=(256, 11)).astype(np.float32)}
    write_half(model, weights)
    read = read_half(model)
    assert read is not None
    assert read["logits/kernel"].dtype == np.float32
    np.testing.assert_allclose(read["logits/kernel"], weights["logits/kernel"], rtol=1e-3, atol=1e-6)
    assert half_path(model).stat().st_size < 0.55 * weights["logits/kernel"].nbytes


def test_no_weights_are_no_error_and_damaged_ones_are(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    assert read_half(model) is None
    half_path(model).write_bytes(b"PK")
    with pytest.raises(ModelError, match="the weights cannot be read"):
        read_half(model)


def test_a_weight_beyond_float16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AedError, match="too large for half precision"):
        write_half(tmp_path / "model.tflite", {"a": np.array([1e6], np.float32)})
    assert list(tmp_path.iterdir()) == []
