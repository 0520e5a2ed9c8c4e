from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aed_daemon.errors import AedError, AudioError
from model_tools.data.cache import load
from model_tools.data.clip import Clip, data_dir
from model_tools.data.esc10 import CC_SAMPLING_PLUS, SLUGS, read_esc10
from model_tools.data.negatives import read_negatives
from model_tools.data.split import check_leaks


def test_clips_have_class_fold_and_source(tiny_data: Path) -> None:
    clips = read_esc10(tiny_data / "esc10")
    assert len(clips) == 20
    first = clips[0]
    assert (first.slug, first.fold, first.source) == ("dog", 1, "1001")
    assert {clip.slug for clip in clips} == set(SLUGS)


def test_a_folder_that_is_not_esc10_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"not an ESC-10 folder.*AED_DATA_DIR"):
        read_esc10(tmp_path / "nothing")


def test_a_file_name_without_fold_is_named(tmp_path: Path) -> None:
    for number in range(1, 11):
        (tmp_path / f"{number:03d} - X").mkdir()
    (tmp_path / "003 - X" / "bark.ogg").touch()
    with pytest.raises(AudioError, match=r"bark\.ogg: not a file name of ESC-10"):
        read_esc10(tmp_path)


def test_held_out_negatives_are_never_trained_on(tiny_data: Path) -> None:
    folder = tiny_data / "negatives" / "clips"
    assert [clip.source for clip in read_negatives(folder, held_out=False)] == ["seen"]
    assert [clip.source for clip in read_negatives(folder, held_out=True)] == ["5703-47212-0000"]


def test_a_split_that_leaks_is_refused() -> None:
    one, other = Clip(Path("1-77-A.ogg"), "dog", 1, "77"), Clip(Path("2-77-B.ogg"), "dog", 2, "77")
    check_leaks([one], [Clip(Path("2-78-A.ogg"), "dog", 2, "78")])
    with pytest.raises(AedError, match="both sides of the split, the first is 77"):
        check_leaks([one], [other])


def test_decoded_sound_is_kept_and_the_same_again(tiny_data: Path, tmp_path: Path) -> None:
    clips = read_esc10(tiny_data / "esc10")[:3]
    counted: list[int] = []
    fresh = load(clips, 16_000, tmp_path, lambda: counted.append(1))
    again = load(clips, 16_000, tmp_path)
    assert len(counted) == 3
    assert len(list(tmp_path.iterdir())) == 1
    for one, other in zip(fresh, again, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)


def test_a_damaged_clip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "1-5-A.ogg"
    path.write_bytes(b"this is no sound")
    with pytest.raises(AudioError, match=r"1-5-A\.ogg"):
        load([Clip(path, "dog", 1, "5")], 16_000, tmp_path / "cache")


@pytest.mark.data
def test_the_real_esc10_without_the_clips_that_forbid_it() -> None:
    root = data_dir() / "esc10"
    if not root.is_dir():
        pytest.skip("ESC-10 is not under AED_DATA_DIR")
    clips = read_esc10(root)
    assert len(clips) == 398
    assert not {clip.path.stem for clip in clips} & CC_SAMPLING_PLUS
    for fold in range(1, 6):
        check_leaks([c for c in clips if c.fold != fold], [c for c in clips if c.fold == fold])
