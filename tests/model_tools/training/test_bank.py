from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aed_daemon.audio.file import decode
from aed_daemon.errors import AedError
from aed_daemon.features import log_mel
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip
from model_tools.training import bank
from model_tools.training.bank import CHANNELLED, CLEAN, SYNTHETIC, WARPED, BankRecipe
from tests.model_tools.training.banks import RATE, bark

RECIPE = BankRecipe(clean=2, channelled=1, warped=1, synthetic=250, negative_s=2.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    for name, samples in (
        ("dog", bark(0.5, 0.4, 2.0)),
        ("rain", bark(0.0, 2.0, 2.0)),
        ("music", bark(0, 5, 5)),
    ):
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return [
        Clip(folder / "dog.wav", "dog", 1, "a", "set"),
        Clip(folder / "rain.wav", "rain", 2, "b", "set"),
        Clip(folder / "music.wav", "", 0, "c", "music"),
    ]


@pytest.fixture(scope="module")
def made(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bank.make(clips, RECIPE, SPEC, tmp_path_factory.mktemp("cache"))


def test_a_bank_holds_every_clip_through_its_variants(made: Path) -> None:
    segments = bank.load(made)
    kinds = {clip: sorted(segments.kind[segments.clip == clip].tolist()) for clip in (-1, 0, 1)}
    assert kinds[0] == [CLEAN, CLEAN, CHANNELLED, WARPED]
    assert kinds[1] == [CLEAN, CLEAN, CHANNELLED]
    assert kinds[-1] == [SYNTHETIC] * 250
    negative = segments.length[segments.clip == 2]
    assert negative.tolist() == [201, 201, 98]
    assert len(segments.frames) == len(segments.level) == len(segments.active) == segments.length.sum()


def test_the_first_variant_is_the_clip_as_recorded(made: Path, clips: list[Clip]) -> None:
    segments = bank.load(made)
    first = int(np.flatnonzero(segments.clip == 0)[0])
    start, length = int(segments.start[first]), int(segments.length[first])
    samples = decode(clips[0].path, RATE)
    expected = np.maximum(np.exp(log_mel(samples, SPEC)) - SPEC.log_offset, 0.0)
    got = np.exp(segments.frames[start : start + length].astype(np.float32)) - bank.FLOOR
    np.testing.assert_allclose(got, expected, rtol=0.02, atol=1e-5)
    assert np.flatnonzero(segments.active[start : start + length]).tolist() == list(range(50, 90))


def test_activity_is_judged_before_the_channel(made: Path) -> None:
    segments = bank.load(made)
    heard = int(np.flatnonzero((segments.clip == 0) & (segments.kind == CHANNELLED))[0])
    part = slice(int(segments.start[heard]), int(segments.start[heard] + segments.length[heard]))
    assert 35 <= np.count_nonzero(segments.active[part]) <= 46


def test_a_second_run_finds_the_bank_and_another_recipe_does_not(made: Path, clips: list[Clip]) -> None:
    looked: list[tuple[int, int]] = []
    again = bank.make(clips, RECIPE, SPEC, made.parent, step=lambda *part: looked.append(part))
    assert again == made
    assert looked == [(1, 1)]
    assert bank.identity(clips, replace(RECIPE, seed=2), SPEC) != bank.identity(clips, RECIPE, SPEC)


def test_a_bank_that_was_cut_off_is_the_same_when_finished(
    made: Path, clips: list[Clip], tmp_path: Path
) -> None:
    part = tmp_path / made.name / "part-00001.npz"
    part.parent.mkdir()
    bank._shard(part, [], 250, RECIPE, SPEC)
    finished = bank.load(bank.make(clips, RECIPE, SPEC, tmp_path))
    np.testing.assert_array_equal(finished.frames, bank.load(made).frames)


def test_a_disk_that_cannot_be_written_is_told(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AedError, match=r"cannot write the spectrograms.*make room, or give --cache"):
        bank.make(clips, RECIPE, SPEC, tmp_path / "file")


def test_variants_of_a_long_clip_show_stretches_with_its_sound() -> None:
    rng = np.random.default_rng(0)
    rate = SPEC.sample_rate_hz
    samples = rng.normal(0.0, 1e-4, 120 * rate).astype(np.float32)
    samples[70 * rate : 71 * rate] += 0.5 * np.sin(np.arange(rate) * 0.3).astype(np.float32)
    shown = [bank.stretch_of(rng, samples, SPEC) for _ in range(20)]
    assert {len(stretch) for stretch in shown} == {30 * rate}
    assert all(np.abs(stretch).max() > 0.4 for stretch in shown)
    assert len({int(np.abs(stretch).argmax()) for stretch in shown}) > 10
    short = samples[: 30 * rate]
    assert bank.stretch_of(rng, short, SPEC) is short
