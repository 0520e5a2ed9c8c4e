from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_tools.data.clip import PARTS
from model_tools.data.negatives import negatives, read_negatives
from model_tools.data.speech import synthesise


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_parts_share_no_source(tiny_data: Path, tmp_path: Path) -> None:
    for part in PARTS:
        synthesise(tmp_path, part, 0.002)
    found = {part: negatives(tiny_data, tmp_path, part) for part in PARTS}
    assert {clip.collection for clip in found["training"]} == {"librosa-examples", "espeak-ng"}
    assert {clip.collection for clip in found["calibration"]} == {"espeak-ng"}
    sources = [{clip.source for clip in clips} for clips in found.values()]
    assert sum(map(len, sources)) == len(set.union(*sources))
    for part, clips in found.items():
        assert {clip.part for clip in clips} == {part}
        assert {clip.slug for clip in clips} == {""}


def test_examples_carry_licence_and_part(tiny_data: Path) -> None:
    folder = tiny_data / "negatives" / "clips"
    (seen,) = read_negatives(folder, held_out=False)
    assert (seen.licence, seen.part, seen.collection) == ("CC-BY-4.0", "training", "librosa-examples")
    (held_out,) = read_negatives(folder, held_out=True)
    assert (held_out.licence, held_out.part, held_out.kind) == ("unknown", "test", "speech")


def test_an_empty_cache_gives_what_there_is(tiny_data: Path, tmp_path: Path) -> None:
    assert len(negatives(tiny_data, tmp_path, "training")) == 1
    assert negatives(tmp_path, tmp_path, "test") == []
