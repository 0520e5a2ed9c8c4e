from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.errors import AedError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data import cache
from model_tools.data.esc10 import SLUGS, read_esc10
from model_tools.data.negatives import read_negatives
from model_tools.training.feed import CropMaker, FeedRecipe, chunks

RECIPE = FeedRecipe(seed=3)


@pytest.fixture(scope="module")
def sounds(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    clips = read_esc10(tiny_data / "esc10")
    everything = [*clips, *read_negatives(tiny_data / "negatives" / "clips", held_out=False)]
    folder = tmp_path_factory.mktemp("cache")
    cache.load(everything, SPEC.sample_rate_hz, folder)
    path = cache.cache_path(everything, SPEC.sample_rate_hz, folder)
    return path, [SLUGS.index(clip.slug) for clip in clips]


def maker(sounds: tuple[Path, list[int]], recipe: FeedRecipe = RECIPE) -> CropMaker:
    path, labels = sounds
    stored = cache.read_cache(path)
    recordings = [(sound, label, label == 0) for sound, label in zip(stored, labels, strict=False)]
    return CropMaker(recordings, stored[len(labels) :], 11, SPEC, recipe)


def test_a_chunk_is_labelled_finite_and_in_range(sounds: tuple[Path, list[int]]) -> None:
    patches, labels = maker(sounds).chunk(1, 200)
    assert patches.shape == (200, SPEC.patch_frames, SPEC.n_mels)
    assert patches.dtype == np.float32
    assert np.isfinite(patches).all()
    assert patches.min() >= np.log(SPEC.log_offset) - 1e-5
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    assert labels[:, -1].mean() == pytest.approx(RECIPE.background_share, abs=0.1)
    assert ((labels > 0.01) & (labels < 0.99)).any(axis=1).mean() > 0.15


def test_silence_is_never_labelled_as_a_class() -> None:
    silent = [(np.zeros(80_000, np.float32), label, False) for label in range(10)]
    _, labels = CropMaker(silent, [], 11, SPEC, RECIPE).chunk(1, 40)
    np.testing.assert_array_equal(labels[:, -1], 1.0)


def test_the_seed_and_the_number_decide_a_chunk(sounds: tuple[Path, list[int]]) -> None:
    first, again = maker(sounds).chunk(7, 16), maker(sounds).chunk(7, 16)
    other = maker(sounds, replace(RECIPE, seed=4)).chunk(7, 16)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], maker(sounds).chunk(8, 16)[0])


def test_chunks_of_other_processes_are_the_same_and_in_order(sounds: tuple[Path, list[int]]) -> None:
    path, labels = sounds
    transient = [label == 0 for label in labels]
    made = list(chunks(path, labels, transient, 11, SPEC, RECIPE, count=3, size=8, processes=2))
    for number, (patches, targets) in enumerate(made, start=1):
        expected = maker(sounds).chunk(number, 8)
        np.testing.assert_array_equal(patches, expected[0])
        np.testing.assert_array_equal(targets, expected[1])


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    with pytest.raises(AedError, match="the process that makes the crops has died"):
        list(chunks(tmp_path / "no.npz", [0], [False], 11, SPEC, RECIPE, count=1, size=1))
