"""Our graph, with the pretrained weights in it, gives the pretrained backbone's own embeddings."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.spec import YAMNET_256
from model_tools.data.clip import data_dir
from model_tools.model import backbone_embeddings

CASES = sorted((Path(__file__).parents[1] / "golden" / "backbone").glob("*.npz"))
Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]
BACKBONE = data_dir() / "models" / "yamnet_256_f32.h5"


@pytest.fixture(scope="module")
def embed(tensorflow: Executor) -> Embed:
    if not BACKBONE.exists():
        pytest.skip("the pretrained backbone is not under AED_DATA_DIR")
    return lambda patch: np.asarray(
        tensorflow.submit(backbone_embeddings, BACKBONE, patch[None], YAMNET_256).result()[0]
    )


def test_there_are_cases() -> None:
    assert len(CASES) >= 6


@pytest.mark.data
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_embedding_is_the_backbones(case: Path, embed: Embed) -> None:
    with np.load(case) as stored:
        assert str(stored["spec_id"]) == YAMNET_256.spec_id
        np.testing.assert_allclose(embed(stored["patch"]), stored["embedding"], rtol=1e-3, atol=1e-4)


@pytest.mark.data
def test_a_transposed_patch_gives_another_embedding(embed: Embed) -> None:
    with np.load(next(path for path in CASES if path.stem == "rising_tone")) as stored:
        flipped = np.ascontiguousarray(stored["patch"][:, ::-1])
        assert np.abs(embed(flipped) - stored["embedding"]).max() > 0.05


def test_a_file_that_is_no_backbone_is_refused(tmp_path: Path, tensorflow: Executor) -> None:
    path = tmp_path / "not.h5"
    path.write_bytes(b"no HDF5 here")
    with pytest.raises(ModelError, match="cannot read the backbone"):
        tensorflow.submit(backbone_embeddings, path, np.zeros((1, 96, 64), np.float32), YAMNET_256).result()
