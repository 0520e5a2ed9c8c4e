from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.training.bank import SYNTHETIC, WARPED, Segments
from model_tools.training.feed import Feed, FeedRecipe
from tests.model_tools.training.banks import as_recorded, bank_of, bark

RECIPE = FeedRecipe(seed=3)
PLAIN = FeedRecipe(
    seed=3,
    background_share=0.0,
    mixed_share=0.0,
    accompanied_share=0.0,
    equaliser_db=0.0,
    low_pass_share=0.0,
    high_pass_share=0.0,
    noise_share=0.0,
    masks=False,
)


@pytest.fixture(scope="module")
def bank() -> Segments:
    """Return two clips of each of three classes, a negative, a warped clip, a synthesised sound."""
    parts = [(i, as_recorded(bark(0.5 + 0.3 * i, 0.8, seed=i))) for i in range(6)]
    parts += [(6, as_recorded(bark(0.0, 4.0, seed=6))), (0, as_recorded(bark(0.1, 1.5, seed=7), WARPED))]
    return bank_of(*parts, (-1, as_recorded(bark(0.0, 2.0, seed=8), SYNTHETIC)))


def feed(
    bank: Segments, recipe: FeedRecipe = RECIPE, labels: tuple[int | None, ...] = (0, 0, 1, 1, 2, 2, 3)
) -> Feed:
    sources = [("", "set")] * 6 + [("music", "band")]
    return Feed(bank, labels, [True] * 7, sources, 4, SPEC, recipe)


def test_a_chunk_is_labelled_finite_and_in_range(bank: Segments) -> None:
    patches, labels = feed(bank).chunk(1, 300)
    assert patches.shape == (300, SPEC.patch_frames, SPEC.n_mels)
    assert patches.dtype == np.float32
    assert np.isfinite(patches).all()
    assert patches.min() >= np.log(SPEC.log_offset) - 1e-5
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    assert labels[:, -1].mean() == pytest.approx(RECIPE.background_share, abs=0.08)
    assert ((labels > 0.01) & (labels < 0.99)).any(axis=1).mean() > 0.12


def test_silence_is_never_labelled_as_a_class() -> None:
    silent = bank_of(
        (0, as_recorded(np.zeros(80_000, np.float32))), (-1, as_recorded(bark(0.0, 2.0), SYNTHETIC))
    )
    _, labels = Feed(silent, [0], [False], [("", "set")], 2, SPEC, RECIPE).chunk(1, 40)
    np.testing.assert_array_equal(labels[:, -1], 1.0)


def test_a_clip_that_must_not_be_seen_is_not(bank: Segments) -> None:
    only_first = feed(bank, PLAIN, (0, None, None, None, None, None, None))
    patches, labels = only_first.chunk(1, 40)
    np.testing.assert_array_equal(labels[:, 0], 1.0)
    loudest = patches.max(axis=(1, 2))
    assert (loudest > np.log(SPEC.log_offset) + 1.0).all()
    unseen = feed(bank, RECIPE, (None,) * 7)
    assert unseen.collections == {}
    np.testing.assert_array_equal(unseen.chunk(1, 20)[1][:, -1], 1.0)


def test_a_warped_clip_is_background(bank: Segments) -> None:
    warped = replace(RECIPE, background_share=1.0, real_share=0.0, warped_share=1.0)
    made = feed(bank, warped).chunk(1, 30)
    np.testing.assert_array_equal(made[1][:, -1], 1.0)
    without = feed(bank, warped, (None, 0, 1, 1, 2, 2, 3)).chunk(1, 30)
    assert not np.array_equal(made[0], without[0])


def test_shares_of_the_collections_add_up(bank: Segments) -> None:
    assert sum(feed(bank).collections.values()) == pytest.approx(1.0)
    assert list(feed(bank).collections) == ["band"]


def test_the_seed_and_the_number_decide_a_chunk(bank: Segments) -> None:
    first, again = feed(bank).chunk(7, 16), feed(bank).chunk(7, 16)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], feed(bank, replace(RECIPE, seed=4)).chunk(7, 16)[0])
    assert not np.array_equal(first[0], feed(bank).chunk(8, 16)[0])


def test_masks_and_noise_do_what_they_say(bank: Segments) -> None:
    floor = np.float32(np.log(SPEC.log_offset))
    plain = feed(bank, PLAIN).chunk(1, 60)[0]
    noisy = feed(bank, replace(PLAIN, noise_share=1.0)).chunk(1, 60)[0]
    silent_share = [np.isclose(patches, floor, atol=1e-3).mean() for patches in (plain, noisy)]
    assert silent_share[0] > 2 * silent_share[1]


def test_backgrounds_at_the_edge_show_a_beginning_or_an_end(bank: Segments) -> None:
    only = replace(PLAIN, background_share=1.0, real_share=1.0, warped_share=0.0, hard_share=0.0)

    def quiet_ends(recipe: FeedRecipe) -> tuple[float, float]:
        quiet = np.isclose(feed(bank, recipe).chunk(1, 200)[0], np.log(SPEC.log_offset), atol=1e-3).all(
            axis=2
        )
        return float(quiet[:, 0].mean()), float(quiet[:, -1].mean())

    first, last = quiet_ends(replace(only, edge_share=1.0))
    assert first > 0.3
    assert last > 0.05
    assert first > quiet_ends(only)[0] + 0.1


def test_hard_crops_are_those_that_are_listed(bank: Segments) -> None:
    recipe = replace(PLAIN, background_share=1.0, hard_share=1.0)
    sources = [("music", "band")] * 7
    labels = (0, 0, 1, 1, 2, 2, 3)
    band = int(np.flatnonzero(bank.clip == 6)[0])
    listed = np.array([[band, -SPEC.patch_frames + 30]], np.int32)
    made = Feed(bank, labels, [True] * 7, sources, 4, SPEC, recipe, listed).chunk(1, 20)
    quiet = np.isclose(made[0], np.log(SPEC.log_offset), atol=1e-3).all(axis=2)
    assert made[1][:, -1].all()
    assert quiet[:, : SPEC.patch_frames - 30 - 24].all()
    assert not quiet[:, -6:].all(axis=1).any()
