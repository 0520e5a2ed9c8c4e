from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
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
from model_tools.data.disk import new_file, write_bytes
from model_tools.data.hearing import Hearing
from model_tools.data.prepared import prepare, read_prepared, write_index

RATE = 44_100


def noise(seed: int, seconds: float, level: float = 0.1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(0, level, int(seconds * RATE))


def clip(path: Path, slug: str = "dog", source: str = "") -> Clip:
    return Clip(path, slug, 0, source or path.stem, "own", "CC0-1.0")


@pytest.fixture
def two(tmp_path: Path) -> list[Clip]:
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", noise(number, 1.5), RATE)
    return [clip(tmp_path / f"{number}.wav") for number in range(2)]


def told(clips: list[Clip], out: Path) -> list[str]:
    return [str(finding) for finding in prepare(clips, SPEC, out)[1] if "class dog" not in finding.where]


def test_hearing_in_blocks_is_decoding_whole(tmp_path: Path) -> None:
    sound = np.stack([noise(1, 4.0), noise(2, 4.0)], axis=1)
    soundfile.write(tmp_path / "a.flac", sound, RATE)
    hearing = Hearing(tmp_path / "a.flac", 16_000)
    blocks = list(hearing)
    whole = decode(tmp_path / "a.flac", 16_000)
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert hearing.facts.duration_s == pytest.approx(4.0)
    assert hearing.facts.peak_dbfs == pytest.approx(20 * np.log10(np.abs(whole).max()), abs=0.05)
    assert hearing.facts.clipped_share == 0.0


def test_frames_are_those_of_the_daemon_and_are_kept(two: list[Clip], tmp_path: Path) -> None:
    steps: list[bool] = []
    found, _ = prepare(two, SPEC, tmp_path / "out", steps.append)
    for one in found:
        expected = log_mel(decode(one.clip.path, SPEC.sample_rate_hz), SPEC)
        np.testing.assert_array_equal(one.frames(), expected)
    again, _ = prepare(two, SPEC, tmp_path / "out", steps.append)
    assert again == found
    assert steps == [True, True, False, False]


def test_a_file_that_moves_is_kept_and_one_that_changes_is_not(two: list[Clip], tmp_path: Path) -> None:
    prepare(two, SPEC, tmp_path / "out")
    moved = two[0].path.rename(tmp_path / "moved.wav")
    soundfile.write(two[1].path, noise(9, 1.5), RATE)
    steps: list[bool] = []
    prepare([clip(moved), two[1]], SPEC, tmp_path / "out", steps.append)
    assert steps == [False, True]


@pytest.mark.parametrize("what", ["frames", "record", "decoder"])
def test_half_of_an_entry_is_made_anew(two: list[Clip], tmp_path: Path, what: str) -> None:
    (one, _), _ = prepare(two, SPEC, tmp_path / "out")
    whole, record = np.array(one.frames()), one.file.with_suffix(".json")
    if what == "frames":
        one.file.write_bytes(one.file.read_bytes()[:-4])
    elif what == "record":
        record.write_text(record.read_text()[:-9])
    else:
        record.write_text(record.read_text().replace("aed_daemon.audio.file", "another"))
    steps: list[bool] = []
    (again, _), _ = prepare(two, SPEC, tmp_path / "out", steps.append)
    assert steps == [True, False]
    np.testing.assert_array_equal(again.frames(), whole)


def test_other_features_do_not_mix(two: list[Clip], tmp_path: Path) -> None:
    other = replace(SPEC, n_mels=32)
    found, _ = prepare(two, SPEC, tmp_path / "out")
    narrow, _ = prepare(two, other, tmp_path / "out")
    assert found[0].frames().shape[1] == 64
    assert narrow[0].frames().shape[1] == 32
    write_index(tmp_path / "out", found, SPEC)
    with pytest.raises(
        AedError, match=rf"prepared with another spec_id: expected {other.spec_id}, got {SPEC.spec_id}"
    ):
        read_prepared(tmp_path / "out", other)


def test_what_was_written_is_read(two: list[Clip], tmp_path: Path) -> None:
    out = tmp_path / "out"
    found, _ = prepare([two[0], replace(two[1], slug="", licence="CC-BY-NC-4.0", fold=2)], SPEC, out)
    index = write_index(out, found, SPEC, layout="csv")
    assert index["classes"] == {"dog": {"clips": 1, "seconds": 1.5}}
    assert index["background"]["clips"] == 1
    assert index["redistributable"] is False
    assert write_index(out, found[:1], SPEC)["redistributable"] is True
    write_index(out, found, SPEC)
    read = read_prepared(out, SPEC)
    assert [(one.clip.slug, one.clip.fold, one.clip.licence) for one in read] == [
        ("dog", 0, "CC0-1.0"),
        ("", 2, "CC-BY-NC-4.0"),
    ]
    np.testing.assert_array_equal(read[0].frames(), found[0].frames())
    found[0].file.unlink()
    with pytest.raises(AedError, match=r"frames are missing: expected those of .*0\.wav.*prepare` again"):
        read_prepared(out, SPEC)


def test_no_prepared_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(AedError, match=r"prepared\.json: no prepared data"):
        read_prepared(tmp_path, SPEC)
    (tmp_path / "prepared.json").write_text(
        json.dumps({"schema": 1, "spec_id": SPEC.spec_id, "decoder": "old"})
    )
    with pytest.raises(AedError, match="prepared with another decoder"):
        read_prepared(tmp_path, SPEC)


def write(seconds: float, level: float = 0.1, *, limit: float = 1.0) -> Callable[[Path], None]:
    def to(path: Path) -> None:
        soundfile.write(path, np.clip(noise(5, seconds, level), -limit, limit), RATE)

    return to


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (write(1.5, 0.0), "error: {}: is silent (peak -200 dBFS). It would teach silence as its class:"),
        (write(1.5, 2e-4), "warning: {}: is very quiet (peak -"),
        (write(1.5, 0.6), "warning: {}: is clipped ("),
        (write(1.0), "warning: {}: is 1.00 s long. It is used with silence after it;"),
        (write(0.0), "error: {}: holds no sound. Record it again"),
        (
            lambda path: path.write_bytes(b""),
            "error: {}: not an audio file: an empty file. WAV, FLAC and Ogg",
        ),
        (lambda path: path.write_bytes(b"text"), "error: {}: not an audio file that can be decoded"),
        (
            lambda path: path.unlink(missing_ok=True),
            "error: {}: cannot read the file: No such file or directory. Check the path.",
        ),
        (write(2.0, 0.1), None),
    ],
)
def test_bad_sounds_are_named_with_a_remedy(
    make: Callable[[Path], None], says: str | None, two: list[Clip], tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    make(path)
    found = told([*two, clip(path)], tmp_path / "out")
    if says is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(says.format(path))


def test_a_file_that_was_cut_off_is_named_and_leaves_nothing(two: list[Clip], tmp_path: Path) -> None:
    whole = two[0].path.read_bytes()
    two[0].path.write_bytes(whole[: len(whole) // 2])
    (found,) = told(two, tmp_path / "out")
    assert found.startswith(f"error: {two[0].path}: the file was cut short or is damaged")
    assert len(list((tmp_path / "out").rglob("*.f32"))) == 1
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_silence_is_a_fine_negative(two: list[Clip], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(2 * RATE), RATE)
    assert told([*two, clip(tmp_path / "x.wav", "")], tmp_path / "out") == []


def test_duplicates_are_named_and_mislabelled_ones_are_errors(two: list[Clip], tmp_path: Path) -> None:
    sound, rate = soundfile.read(two[0].path)
    soundfile.write(tmp_path / "again.flac", sound, rate)
    (found,) = told([*two, clip(tmp_path / "again.flac")], tmp_path / "out")
    assert found.startswith(f"warning: {tmp_path}/again.flac: is the same sound as {two[0].path}. Take one")
    (found,) = told([*two, clip(tmp_path / "again.flac", "")], tmp_path / "out")
    assert found.startswith(f"error: {tmp_path}/again.flac: is the same sound as")
    assert "which is dog, while this is background. One of the labels is wrong" in found


def test_classes_of_too_few_clips_are_named(two: list[Clip], tmp_path: Path) -> None:
    one = str(prepare(two[:1], SPEC, tmp_path / "out")[1][0])
    assert one.startswith("error: class dog: has one clip. Nothing is left to measure it on")
    few = str(prepare(two, SPEC, tmp_path / "out")[1][0])
    assert few.startswith("warning: class dog: has 2 clips")


LONG = """
import resource, sys
from pathlib import Path
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip
from model_tools.data.prepared import prepare
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(one,), findings = prepare([Clip(Path(sys.argv[1]), "", 0, "long")], SPEC, Path(sys.argv[2]))
print(one.facts.duration_s, len(one.frames()), findings[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_two_hours_are_decoded_in_little_memory(tmp_path: Path) -> None:
    """Whole, they would be 460 MB of samples."""
    path = tmp_path / "long.flac"
    minute = np.random.default_rng(1).integers(-300, 300, 60 * 16_000).astype(np.int16)
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(120):
            file.write(minute)
    command = [sys.executable, "-c", LONG, str(path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heard, kilobytes = done.stdout.splitlines()
    assert heard.startswith("7200.0 71999")
    assert "is 2.0 h long" in heard
    assert int(kilobytes) < 80_000


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full gives the real error of a full disk."""
    real = Path.open

    def on_full_disk(self: Path, mode: str = "r", **options: object) -> object:
        return open("/dev/full", mode) if ".tmp" in self.name else real(self, mode)  # noqa: PTH123

    write_bytes(tmp_path / "kept", b"before")
    monkeypatch.setattr(Path, "open", on_full_disk)
    with pytest.raises(AedError, match=r"kept: the disk is full\. Make room, or give another folder"):
        write_bytes(tmp_path / "kept", b"after")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"before"


LIMITED = """
import resource, signal, sys
from pathlib import Path
from aed_daemon.errors import AedError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip
from model_tools.data.prepared import prepare
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    prepare([Clip(Path(sys.argv[1]), "", 0, "a")], SPEC, Path(sys.argv[2]))
except AedError as error:
    print(error)
"""


def test_no_half_written_frames_are_left(two: list[Clip], tmp_path: Path) -> None:
    """The frames of 1.5 s are 38 kB; the system refuses to write more than 20."""
    command = [sys.executable, "-c", LIMITED, str(two[0].path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "too large a file" in done.stdout
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(AedError, match=r"cannot write \(.*\)\. Check the folder"),
        new_file(tmp_path / "file" / "x"),
    ):
        pass
