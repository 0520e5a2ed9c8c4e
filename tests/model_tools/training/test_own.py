"""Sounds of one's own: what is read, what is left out and why, and how a check is divided from them."""

from __future__ import annotations

import json
import shutil
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aed_daemon.audio.file import decode
from aed_daemon.errors import AedError, AudioError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip, data_dir
from model_tools.data.esc10 import read_esc10
from model_tools.training.material import HeldOut
from model_tools.training.own import (
    SHORT_RUN_S,
    OwnSounds,
    divided,
    own_material,
    read_own,
    some_negatives,
    sounds_of,
)
from model_tools.training.sound import INSTANT, active, longest_run
from tests.model_tools.own_sounds import RATE_HZ, write_set

ESC10 = data_dir() / "esc10"


def write(path: Path, seconds: float = 2.0, *, seed: int | None = None, level: float = 0.2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.name.encode()) if seed is None else seed)
    samples = level * noise.normal(0.0, 0.3, int(seconds * RATE_HZ))
    soundfile.write(path, np.clip(samples, -1.0, 1.0), RATE_HZ)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    write_set(root, clips=5, seed=1)
    return root


@pytest.fixture
def good(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "sounds"))


def told(sounds: OwnSounds) -> str:
    return "\n".join(str(finding) for finding in sounds.findings)


def used(sounds: OwnSounds) -> dict[str, int]:
    return dict(Counter(clip.slug for clip in sounds.clips))


def test_a_folder_per_class_becomes_outputs_in_the_order_of_their_names(good: Path) -> None:
    (good / "Bell tower").mkdir()
    write(good / "Bell tower" / "a.wav", 5.0)
    write(good / "background" / "room.wav", 3.0)
    sounds = read_own(good, SPEC)
    material = own_material(sounds, [Clip(good / "x.wav", "", 0, "x", "debian:x", "CC0-1.0")], HeldOut())
    assert material.outputs == ("bell_tower", "doorbell", "knocking", "oven_beep", "background")
    assert {slug: kind.label for slug, kind in sounds.classes.items()} == {
        "bell_tower": "Bell tower", "doorbell": "Doorbell", "knocking": "Knocking", "oven_beep": "Oven beep",
    }  # fmt: skip
    labels = Counter(material.label(clip) for clip in material.clips)
    assert labels == {0: 1, 1: 5, 2: 5, 3: 5, 4: 2}
    # The user's background is told apart from the classes: the manifest counts their shares.
    assert {clip.collection for clip in material.clips if not clip.slug} == {"own background", "debian:x"}
    config = json.loads(json.dumps(material.describe()))
    assert config["classes"]["knocking"] == {"label": "Knocking", "transient": True, "instant": True}
    assert read_own(good, SPEC).clips == sounds_of(config, SPEC).clips


def test_short_sounds_start_at_once_and_long_ones_are_confirmed(good: Path) -> None:
    for number in range(3):
        write(good / "vacuum" / f"{number}.wav", 4.0)
    kinds = read_own(good, SPEC).classes
    assert {slug for slug, kind in kinds.items() if kind.instant} == {"doorbell", "knocking", "oven_beep"}
    assert not kinds["vacuum"].transient


@pytest.mark.data
def test_the_rule_gives_esc10s_modes() -> None:
    if not ESC10.exists():
        pytest.skip("ESC-10 is not under AED_DATA_DIR")
    runs: dict[str, list[float]] = {}
    for clip in read_esc10(ESC10)[::4]:
        held = active(decode(clip.path, SPEC.sample_rate_hz), SPEC)
        runs.setdefault(clip.slug, []).append(longest_run(held) * 0.01)
    assert {slug for slug, found in runs.items() if np.median(found) < SHORT_RUN_S} == INSTANT


def test_the_longest_run_bridges_short_pauses() -> None:
    held = np.zeros(300, bool)
    held[[10, 11, 20, 60, 61, 62]] = True
    assert longest_run(held) == 11
    assert longest_run(np.zeros(5, bool)) == 0
    assert longest_run(np.ones(5, bool)) == 5


def test_a_table_names_sources_and_they_stay_together(tmp_path: Path) -> None:
    lines = ["file,label,source,licence"]
    for number in range(12):
        write(tmp_path / "audio" / f"{number}.wav", seed=number)
        lines.append(f"audio/{number}.wav,{'Door bell' if number < 6 else 'Kettle'},day{number // 2},CC0-1.0")
    table = tmp_path / "sounds.csv"
    table.write_text("\n".join(lines) + "\n")
    sounds = read_own(table, SPEC)
    assert sorted(sounds.classes) == ["door_bell", "kettle"]
    # Three occasions each are too few to spare one.
    assert divided(sounds) is None
    table.write_text(
        table.read_text().replace("day1", "day10").replace("10.wav,Kettle,day5", "10.wav,Kettle,day9")
    )
    table.write_text(table.read_text().replace("2.wav,Door bell,day10", "2.wav,Door bell,day7"))
    clips = divided(read_own(tmp_path, SPEC))
    assert clips is not None
    folds = {
        source: {clip.fold for clip in clips if clip.source == source} for source in {c.source for c in clips}
    }
    assert all(len(found) == 1 for found in folds.values())
    assert {clip.slug for clip in clips if clip.fold == 2} == {"door_bell", "kettle"}


def test_a_check_holds_out_about_a_quarter_of_each_class(good: Path) -> None:
    write(good / "lonely" / "one.wav")
    clips = divided(read_own(good, SPEC))
    assert clips is not None
    held = Counter(clip.slug for clip in clips if clip.fold == 2)
    assert held.keys() == {"doorbell", "knocking", "oven_beep"}
    assert all(1 <= count <= 2 for count in held.values())
    material = own_material(read_own(good, SPEC), [], HeldOut(fold=2), clips)
    assert len(material.seen) == len(clips) - held.total()


@pytest.mark.parametrize(
    ("name", "seconds", "level", "says"),
    [
        ("silent.wav", 2.0, 0.0, "is silent (peak -200 dBFS). It would teach silence as its class"),
        ("short.wav", 0.05, 0.2, "is 0.05 s long. Record it again with something before and after"),
        ("long.wav", 7_200.0, 0.2, "is 2.0 h long. Cut out the parts with the sound"),
    ],
)
def test_a_bad_file_is_named_and_left_out(
    good: Path, name: str, seconds: float, level: float, says: str
) -> None:
    path = good / "knocking" / name
    if seconds > 60.0:
        # Sparse on the disk: a header and two hours of zeros.
        with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
            for _ in range(int(seconds / 60)):
                file.write(np.zeros(60 * RATE_HZ, np.int16))
    else:
        write(path, seconds, level=level)
    sounds = read_own(good, SPEC)
    assert f"error: {path}: {says}" in told(sounds)
    assert used(sounds)["knocking"] == 5


def test_files_that_cannot_be_decoded_are_named_and_left_out(good: Path) -> None:
    (good / "knocking" / "broken.wav").write_bytes(b"RIFF no sound")
    (good / "knocking" / "empty.flac").touch()
    sounds = read_own(good, SPEC)
    assert f"error: {good / 'knocking' / 'broken.wav'}: not an audio file that can be decoded" in told(sounds)
    assert f"error: {good / 'knocking' / 'empty.flac'}: not an audio file: an empty file" in told(sounds)
    assert used(sounds)["knocking"] == 5


def test_one_second_is_used_with_a_warning(good: Path) -> None:
    write(good / "knocking" / "second.wav", 1.0)
    sounds = read_own(good, SPEC)
    assert "second.wav: is 1.00 s long. It is used" in told(sounds)
    assert used(sounds)["knocking"] == 6


def test_what_is_no_sound_is_ignored_with_a_note(good: Path) -> None:
    (good / "knocking" / "notes.txt").write_text("kitchen door")
    (good / "knocking" / ".DS_Store").touch()
    (good / "doorbell" / "phone.m4a").touch()
    (good / "nothing here").mkdir()
    write(good / "loose.wav")
    text = told(read_own(good, SPEC))
    assert f"{good / 'knocking'}: 1 files, the first is notes.txt, are ignored. They are no audio" in text
    assert "phone.m4a, are ignored. Convert what is sound: ffmpeg -i phone.m4a phone.wav" in text
    assert f"{good / 'nothing here'}: holds no sounds, so it is no class" in text
    assert f"{good}: 1 files, the first is loose.wav, are in no class. Move them" in text


def test_the_same_sound_in_two_classes_is_in_neither(good: Path) -> None:
    one = good / "doorbell" / "doorbell-1.wav"
    other = good / "knocking" / "copy.wav"
    other.write_bytes(one.read_bytes())
    sounds = read_own(good, SPEC)
    assert f"error: {other}: is the same sound as {one}, which is doorbell, while this is knocking" in told(
        sounds
    )
    assert used(sounds) == {"doorbell": 4, "knocking": 5, "oven_beep": 5}


def test_a_class_with_one_clip_is_learnt_with_a_warning(good: Path) -> None:
    write(good / "lonely" / "one.wav")
    sounds = read_own(good, SPEC)
    assert "warning: class lonely: has one clip. Nothing is left to measure it on" in told(sounds)
    assert used(sounds)["lonely"] == 1


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (
            ["Door bell", "door-bell"],
            "two classes have the same name but for signs, `Door bell` and `door-bell`",
        ),
        (["3d printer"], r"`3d printer` cannot be the name of a class.*`printer_3d`"),
        (["loud sound"], "`loud sound` cannot be the name of a class"),
        (["звонок"], r"звонок: a label without Latin letters"),
    ],
)
def test_names_that_cannot_be_classes_are_refused(tmp_path: Path, folders: list[str], says: str) -> None:
    for folder in folders:
        write(tmp_path / folder / "a.wav")
    with pytest.raises(AudioError, match=says):
        read_own(tmp_path, SPEC)


def test_a_class_of_which_nothing_is_left_is_refused(good: Path) -> None:
    write(good / "ghost" / "a.wav", level=0.0)
    with pytest.raises(AudioError, match=r"no file of the class ghost can be used.*a\.wav: is silent"):
        read_own(good, SPEC)


def test_no_classes_at_all_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "background" / "a.wav")
    with pytest.raises(AudioError, match="no classes"):
        read_own(tmp_path, SPEC)
    with pytest.raises(AudioError, match="no such data"):
        read_own(tmp_path / "nowhere", SPEC)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match=r"no data set is recognised.*empty folder"):
        read_own(tmp_path / "empty", SPEC)


def test_a_recording_made_anew_is_another_sound(good: Path) -> None:
    path = good / "knocking" / "knocking-1.wav"
    before = {clip.path: clip.sound for clip in read_own(good, SPEC).clips}
    size, frames = path.stat().st_size, soundfile.info(path).frames
    write(path, frames / RATE_HZ)
    assert path.stat().st_size == size
    after = {clip.path: clip.sound for clip in read_own(good, SPEC).clips}
    assert {name for name in before if before[name] != after[name]} == {path}


def test_sounds_that_have_changed_their_classes_are_not_the_runs(good: Path) -> None:
    config = json.loads(json.dumps(own_material(read_own(good, SPEC), [], HeldOut()).describe()))
    write(good / "kettle" / "a.wav")
    with pytest.raises(AedError, match=r"not those that the run learnt from.*kettle"):
        sounds_of(config, SPEC)
    moved = good.with_name("moved")
    good.rename(moved)
    with pytest.raises(AedError, match="no such data"):
        sounds_of(config, SPEC)


def test_some_negatives_are_of_all_kinds_and_always_the_same() -> None:
    clips = [
        Clip(Path(f"{kind}-{i}.wav"), "", 0, f"{kind}{i}", "debian:x", "CC0-1.0", "training", kind, 10.0)
        for kind in ("effects", "speech", "music", "ambience")
        for i in range(100)
    ]  # fmt: skip
    chosen = some_negatives(clips, 500.0)
    assert chosen == some_negatives(list(clips), 500.0)
    counts = Counter(clip.kind for clip in chosen)
    assert counts["effects"] > counts["speech"] > counts["ambience"] > 0
    assert 500.0 <= sum(clip.duration_s for clip in chosen) <= 560.0
    assert some_negatives([]) == []
