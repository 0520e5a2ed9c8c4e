from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from aed_daemon.errors import AedError
from model_tools.data.clip import Clip
from model_tools.data.split import check_leaks, leaks, validation_split, with_folds


def clips_of(slug: str, recordings: int, takes: int = 1) -> list[Clip]:
    return [
        Clip(Path(f"{slug}-{number}-{take}.wav"), slug, 0, f"{slug}{number}")
        for number in range(recordings)
        for take in range(takes)
    ]


def test_leaks_by_recording_and_by_sound() -> None:
    training = [Clip(Path("1-77-A.ogg"), "dog", 1, "77"), Clip(Path("1-80-A.ogg"), "dog", 1, "80")]
    held_out = [
        Clip(Path("2-77-B.ogg"), "dog", 2, "77"),
        Clip(Path("2-77-C.ogg"), "dog", 2, "77"),
        Clip(Path("2-90-A.ogg"), "dog", 2, "90"),
    ]
    (leak,) = leaks(training, held_out)
    assert str(leak) == "recording 77: 1-77-A.ogg is in training, 2-77-B.ogg is held out"
    assert len(leak.held_out) == 2
    sounds = {Path("1-80-A.ogg"): "same", Path("2-90-A.ogg"): "same", Path("1-77-A.ogg"): "other"}
    first, second = leaks(training, held_out, sounds)
    assert first == leak
    assert str(second) == "the same sound: 1-80-A.ogg is in training, 2-90-A.ogg is held out"
    with pytest.raises(AedError, match="2 recordings have clips on both sides of the split, the first is 77"):
        check_leaks(training, held_out, sounds=sounds)
    assert check_leaks(training, held_out, sounds=sounds, allow_leaks=True) == [first, second]
    assert check_leaks(training[1:], held_out) == []


def test_official_folds_are_kept() -> None:
    clips = [Clip(Path("a"), "dog", 3, "a"), Clip(Path("b"), "dog", 4, "b"), Clip(Path("n"), "", 0, "n")]
    assert with_folds(clips) == clips


def test_folds_for_some_only_are_refused() -> None:
    clips = [Clip(Path("a"), "dog", 3, "a"), Clip(Path("b"), "dog", 0, "b")]
    with pytest.raises(AedError, match=r"b: some clips have a fold and others have none.*got 1 of 2"):
        with_folds(clips)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_folds_keep_recordings_together_and_classes_even(seed: int) -> None:
    clips = [*clips_of("dog", 20, 2), *clips_of("rain", 10), *clips_of("", 15, 3)]
    dealt = with_folds(clips, folds=5, seed=seed)
    assert [clip.path for clip in dealt] == [clip.path for clip in clips]
    folds_of: dict[str, set[int]] = {}
    for clip in dealt:
        folds_of.setdefault(clip.source, set()).add(clip.fold)
    assert {len(folds) for folds in folds_of.values()} == {1}
    for slug, per_fold in (("dog", 8), ("rain", 2), ("", 9)):
        assert set(Counter(clip.fold for clip in dealt if clip.slug == slug).values()) == {per_fold}
    for fold in range(1, 6):
        assert not leaks([c for c in dealt if c.fold != fold], [c for c in dealt if c.fold == fold])


def test_folds_depend_on_the_seed_alone() -> None:
    clips = [*clips_of("dog", 12), *clips_of("rain", 12)]
    one = [clip.fold for clip in with_folds(clips, seed=1)]
    assert one == [clip.fold for clip in with_folds(clips, seed=1)]
    assert one != [clip.fold for clip in with_folds(clips, seed=2)]


def test_the_same_sound_stays_in_one_fold() -> None:
    clips = clips_of("dog", 10)
    sounds = {clips[0].path: "x", clips[7].path: "x", clips[3].path: "y"}
    for seed in range(20):
        dealt = with_folds(clips, seed=seed, sounds=sounds)
        assert dealt[0].fold == dealt[7].fold
    apart = with_folds(clips, seed=0)
    assert apart[0].fold != apart[7].fold


def test_too_few_recordings_for_the_folds_are_told() -> None:
    with pytest.raises(AedError, match="too few recordings for 5 folds: expected at least 5, got 4"):
        with_folds(clips_of("dog", 4, 10))


def test_a_validation_split_takes_whole_recordings_of_every_class() -> None:
    clips = [*clips_of("dog", 20, 2), *clips_of("rain", 10)]
    training, validation = validation_split(clips, share=0.2, seed=4)
    assert sorted([*training, *validation], key=clips.index) == clips
    assert Counter(clip.slug for clip in validation) == {"dog": 8, "rain": 2}
    assert not leaks(training, validation)
