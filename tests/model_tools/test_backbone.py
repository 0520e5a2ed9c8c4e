"""Our graph, with the pretrained weights in it, gives the pretrained backbone's own embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.spec import YAMNET_256
from model_tools.architecture import YAMNET_256 as SHAPE
from model_tools.backbone import read_backbone
from model_tools.data.clip import data_dir
from model_tools.training.network import build, load_arrays

CASES = sorted((Path(__file__).parents[1] / "golden" / "backbone").glob("*.npz"))
Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]
BACKBONE = data_dir() / "models" / "yamnet_256_f32.h5"


@pytest.fixture(scope="module")
def embed() -> Embed:
    if not BACKBONE.exists():
        pytest.skip("the pretrained backbone is not under AED_DATA_DIR")
    network = build(1, SHAPE, seed=0).eval()
    load_arrays(network, read_backbone(BACKBONE), head=False)

    def embedding(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network.embed(torch.from_numpy(patch[None]))[0])

    return embedding


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


def test_a_file_that_is_no_backbone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.h5"
    path.write_bytes(b"no HDF5 here")
    with pytest.raises(ModelError, match=r"cannot read the backbone.*fetch yamnet256-backbone"):
        read_backbone(path)
