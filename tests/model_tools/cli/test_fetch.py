"""Against a server on this machine; the public addresses are not tried."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_tools.cli import main
from model_tools.data import examples, package_table, public, speech
from model_tools.data.clip import PARTS, data_dir
from model_tools.data.public import check_files, esc10_hashes
from tests.model_tools.data.web import serving

CLIPS = {
    f"{number:03d} - Class/{fold}-{number}-A.ogg": np.random.default_rng([number, fold]).bytes(2_000)
    for number in range(1, 11)
    for fold in (1, 2)
}
HASHES = {name: hashlib.sha256(data).hexdigest() for name, data in CLIPS.items()}


def archive(clips: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in {
            **clips,
            "README.md": b"no",
            "LICENSES-AND-SOURCES.txt": b"- [x.ogg]: [CC0]",
        }.items():
            packed.writestr(f"ESC-10-master/{name}", data)
        packed.writestr("../escape.ogg", b"out")
    return out.getvalue()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "esc10_hashes", lambda: HASHES)
    monkeypatch.setattr(public, "BACKBONE_SHA256", hashlib.sha256(b"weights").hexdigest())


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["fetch", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_esc10_is_resumed_unpacked_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(archive(CLIPS)) as server:
        server.break_after = [10_000]
        code, out, _ = run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
        assert code == 0
        assert server.asked == ["", "bytes=10000-"]
        assert json.loads(out)["path"] == str(tmp_path / "esc10")
        there = {
            path.relative_to(tmp_path / "esc10").as_posix() for path in (tmp_path / "esc10").rglob("*.*")
        }
        assert there == {*CLIPS, "LICENSES-AND-SOURCES.txt"}
        assert [path.name for path in tmp_path.iterdir()] == ["esc10"]
        assert not (tmp_path.parent / "escape.ogg").exists()
        run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
        assert len(server.asked) == 2


def test_a_clip_that_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = {**CLIPS, "003 - Class/1-3-A.ogg": b"another"}
    del changed["004 - Class/2-4-A.ogg"]
    with serving(archive(changed)) as server:
        code, _, said = run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
    assert code == 1
    assert "003 - Class/1-3-A.ogg: 2 of 20 files are missing or differ" in said
    assert not (tmp_path / "esc10").exists()


def test_a_file_that_was_lost_later_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(archive(CLIPS)) as server:
        run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
        (tmp_path / "esc10" / "002 - Class" / "1-2-A.ogg").unlink()
        code, _, said = run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
    assert code == 1
    assert "1-2-A.ogg: 1 of 20 files are missing or differ" in said


def test_a_damaged_archive_is_named_and_thrown_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(b"<html>no archive</html>") as server:
        code, _, said = run(capsys, "esc10", "--out", tmp_path, "--url", server.url)
    assert code == 1
    assert "ESC-10.zip: a damaged archive: expected a zip file" in said
    assert list(tmp_path.iterdir()) == []


def test_the_backbone_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(b"weights") as server:
        code, out, _ = run(capsys, "yamnet256-backbone", "--out", tmp_path, "--url", server.url)
    assert code == 0
    assert Path(json.loads(out)["path"]).read_bytes() == b"weights"
    (tmp_path / "models" / "yamnet_256_f32.h5").unlink()
    with serving(b"version https://git-lfs") as server:
        code, _, said = run(capsys, "yamnet256-backbone", "--out", tmp_path, "--url", server.url)
    assert code == 1
    assert "not the file that was expected" in said


@pytest.mark.skipif(
    shutil.which("espeak-ng") is None or shutil.which("dpkg-deb") is None, reason="needs espeak-ng and dpkg"
)
def test_negatives_tell_what_could_not_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network: packages that do not exist, for which apt-get says so itself."""
    monkeypatch.setattr(speech, "HOURS", dict.fromkeys(PARTS, 0.002))
    monkeypatch.setattr(package_table, "packages", lambda _: ["no-such-package-9f3"])
    code, out, said = run(capsys, "negatives", "--out", tmp_path, "--part", "calibration")
    assert (code, out) == (1, "")
    assert "error: no-such-package-9f3: the package cannot be downloaded" in said
    assert "1 packages could not be had, the first is no-such-package-9f3" in said
    monkeypatch.setattr(package_table, "packages", lambda _: [])
    code, out, _ = run(capsys, "negatives", "--out", tmp_path, "--part", "test")
    assert code == 0
    told = json.loads(out)["parts"]
    assert list(told) == ["test"]
    assert told["test"]["licences"] == {"CC0-1.0": told["test"]["clips"]}
    assert list(told["test"]["hours"]) == ["speech"]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")
def test_examples_tell_what_could_not_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "example_packages", lambda: ["no-such-package-9f3"])
    code, out, said = run(capsys, "examples", "--out", tmp_path)
    assert (code, out) == (1, "")
    assert "1 packages could not be had, the first is no-such-package-9f3" in said
    monkeypatch.setattr(examples, "example_packages", list)
    code, out, _ = run(capsys, "examples", "--out", tmp_path)
    assert (code, json.loads(out)["clips"]) == (0, {})


def test_help_says_what_has_not_been_tried(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fetch", "--help"])
    assert "have NOT been tried" in " ".join(capsys.readouterr().out.split())


@pytest.mark.data
def test_the_hashes_are_those_of_the_real_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    root = data_dir() / "esc10"
    if not root.is_dir():
        pytest.skip("ESC-10 is not under AED_DATA_DIR")
    monkeypatch.undo()
    hashes = esc10_hashes()
    assert len(hashes) == 400
    check_files(root, public.esc10_hashes())
