from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model_tools.data import examples as module
from model_tools.data.clip import Clip
from model_tools.data.esc10 import SLUGS
from model_tools.data.examples import EXAMPLES, Example, example_packages, examples
from model_tools.data.licences import is_free
from model_tools.data.package_table import CALIBRATION, TEST
from model_tools.data.packages import INDEX, Entry
from model_tools.data.screening import class_in_name

RATE = 16_000


def sound(seed: int, seconds: float = 2.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.uniform(0.0, 1.0, int(seconds * 40)), RATE // 40)
    return np.asarray(rng.normal(0, 0.1, len(envelope)) * envelope)


def package(cache: Path, name: str, files: dict[str, tuple[int, float, str]]) -> None:
    """Leave a package as `packages.add` leaves it: path -> seed, length and licence."""
    listed = []
    for path, (seed, seconds, licence) in files.items():
        target = cache / "packages" / name / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, sound(seed, seconds), RATE)
        digest = hashlib.sha256(str((seed, seconds)).encode()).hexdigest()
        listed.append(Entry(path, f"files/{path}", licence, seconds, -10.0, digest))
    record = {"format": 1, "files": [asdict(entry) for entry in listed]}
    (cache / "packages" / name / INDEX).write_text(json.dumps(record))


TABLE = (
    Example("zoo", "dog", ("*/dog*.wav",)),
    Example("zoo", "rooster", ("*/rooster.wav",), "CC0-1.0"),
    Example("not-fetched", "rain", ("*",)),
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    files = {
        "a/dog1.wav": (1, 2.0, "GPL-2+"),
        "a/dog2.wav": (2, 2.0, "GPL-2+"),
        "a/dog2_again.wav": (2, 2.0, "GPL-2+"),
        "a/dog_bound.wav": (3, 2.0, "CC-BY-NC-3.0"),
        "a/dog_short.wav": (4, 0.3, "GPL-2+"),
        "a/rooster.wav": (5, 2.0, "unknown"),
        "a/cat.wav": (6, 2.0, "GPL-2+"),
    }
    package(tmp_path, "zoo", files)
    return tmp_path


def measured(folder: Path, seed: int) -> Clip:
    path = folder / f"measured-{seed}.wav"
    soundfile.write(path, 0.3 * sound(seed)[RATE // 2 :], RATE)
    return Clip(path, "dog", 1, f"recording {seed}", "esc10")


def test_what_is_free_long_enough_and_there_once_is_taken(cache: Path) -> None:
    found = examples(cache, [], TABLE)
    assert [(clip.path.name, clip.slug, clip.licence) for clip in found] == [
        ("dog1.wav", "dog", "GPL-2.0-or-later"),
        ("dog2.wav", "dog", "GPL-2.0-or-later"),
        ("rooster.wav", "rooster", "CC0-1.0"),
    ]
    assert {clip.fold for clip in found} == {0}
    assert {clip.collection for clip in found} == {"debian:zoo, examples"}


def test_a_recording_that_is_measured_on_is_left_out(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [measured(cache, 2), measured(cache, 77)]
    assert [clip.path.name for clip in examples(cache, known, TABLE)] == ["dog1.wav", "rooster.wav"]
    # What was found is kept: it is not computed again, unless what is measured on changes.
    monkeypatch.setattr(module, "likeness", lambda *_: pytest.fail("computed again"))
    assert [clip.path.name for clip in examples(cache, known, TABLE)] == ["dog1.wav", "rooster.wav"]
    with pytest.raises(pytest.fail.Exception):
        examples(cache, known[:1], TABLE)


def test_without_packages_there_are_none(tmp_path: Path) -> None:
    assert examples(tmp_path, []) == []


def test_the_table_is_of_the_classes_and_of_no_package_that_is_measured_on() -> None:
    assert {example.slug for example in EXAMPLES} == set(SLUGS)
    assert not {source.package for source in (*CALIBRATION, *TEST)} & set(example_packages())
    assert all(is_free(example.licence) for example in EXAMPLES if example.licence)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.package}-{e.slug}")
def test_no_example_is_a_negative_too(example: Example) -> None:
    for pattern in example.only:
        assert class_in_name(pattern.replace("*", "")), pattern
