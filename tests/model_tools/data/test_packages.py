"""With a real package, made here with dpkg-deb; nothing is downloaded."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aed_daemon.errors import AedError
from model_tools.data import packages
from model_tools.data.clip import Part
from model_tools.data.package_table import SOURCES, Source
from model_tools.data.packages import add, entries, fetch_all, is_fetched, package_clips
from model_tools.data.unpack import unpack

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is Debian's")

RATE = 22_050
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020, Somebody
License: GPL-2+

Files: data/shop/*
Copyright: 2020, A company
License: CC-BY-NC-3.0
"""


def sound(
    seed: int, seconds: float = 0.5, level: float = 0.1
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(0, level, int(seconds * RATE))


def build(root: Path, name: str, fill: Callable[[Path], None], copyright_text: str = COPYRIGHT) -> Path:
    tree = root / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1.2\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n"
    )
    data = tree / "usr" / "share" / "games" / name / "data"
    data.mkdir(parents=True)
    fill(data)
    doc = tree / "usr" / "share" / "doc" / name
    doc.mkdir(parents=True)
    (doc / "copyright").write_text(copyright_text)
    deb = root / f"{name}_1.2_all.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", str(tree), str(deb)], check=True, capture_output=True)
    return deb


def game(data: Path) -> None:
    for folder in ("sounds", "music", "shop"):
        (data / folder).mkdir()
    for number, name in enumerate(("door.wav", "Bark.ogg", "door_again.wav")):
        soundfile.write(data / "sounds" / name, sound(0 if "door" in name else number), RATE)
    soundfile.write(data / "sounds" / "short.wav", sound(5, 0.02), RATE)
    soundfile.write(data / "sounds" / "nothing.flac", np.zeros(RATE), RATE)
    (data / "sounds" / "broken.ogg").write_bytes(b"OggS but no more")
    (data / "sounds" / "link.wav").symlink_to("door.wav")
    soundfile.write(data / "music" / "theme.ogg", sound(6, 2.0), RATE)
    soundfile.write(data / "shop" / "till.wav", sound(7), RATE)
    (data / "readme.txt").write_text("no sound")
    soundfile.write(data / "whistle.wav", sound(8), RATE)
    with zipfile.ZipFile(data / "pak0.pk3", "w") as archive:
        archive.write(data / "whistle.wav", "sound/whistle.wav")
        archive.write(data / "whistle.wav", "../escape.wav")
    (data / "whistle.wav").unlink()


def listed(part: Part, kind: str = "effects", package: str = "game") -> tuple[Source, ...]:
    return (
        Source(package, part, "music", ("*/music/*",)),
        Source(package, part, "effects", without=("till-like",)),
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packages")
    add("game", build(root, "game", game), root / "cache")
    return root / "cache"


def test_what_a_package_holds_is_listed(cache: Path) -> None:
    found = {entry.path.removeprefix("usr/share/games/game/data/"): entry for entry in entries("game", cache)}
    assert set(found) == {
        *("sounds/door.wav", "sounds/door_again.wav", "sounds/Bark.ogg", "sounds/short.wav"),
        *("sounds/nothing.flac", "sounds/broken.ogg", "music/theme.ogg", "shop/till.wav"),
        "pak0.pk3/sound/whistle.wav",
    }
    door = found["sounds/door.wav"]
    assert door.duration_s == pytest.approx(0.5, abs=1e-3)
    assert door.licence == "GPL-2+"
    assert -15 < door.peak_dbfs < 0
    assert door.sound == found["sounds/door_again.wav"].sound != found["sounds/Bark.ogg"].sound
    assert found["shop/till.wav"].licence == "CC-BY-NC-3.0"
    assert "ffmpeg" not in found["sounds/broken.ogg"].error
    assert found["sounds/broken.ogg"].error
    assert not list(cache.rglob("escape.wav"))
    assert not list(cache.rglob("*.packed"))


def test_what_is_used_and_why_the_rest_is_not(cache: Path) -> None:
    clips, left = package_clips(cache, "training", listed("training"))
    assert [(clip.path.name, clip.kind) for clip in clips] == [
        ("theme.ogg", "music"),
        ("whistle.wav", "effects"),
        ("door.wav", "effects"),
    ]
    for clip in clips:
        assert clip.path.exists()
        assert (clip.slug, clip.part, clip.collection) == ("", "training", "debian:game")
        assert clip.licence == "GPL-2.0-or-later"
    assert len({clip.source for clip in clips}) == 3
    why = {Path(one.path).name: one.why for one in left}
    assert why["Bark.ogg"] == "dog: bark"
    assert why["short.wav"] == "shorter than 0.05 s"
    assert why["nothing.flac"] == "silent"
    assert why["till.wav"] == "licence CC-BY-NC-3.0"
    assert why["broken.ogg"].startswith("cannot be decoded")
    assert why["door_again.wav"].startswith("same sound as game: ")
    assert len(left) + len(clips) == len(entries("game", cache))


def test_other_parts_get_nothing_of_it(cache: Path) -> None:
    assert package_clips(cache, "test", listed("training")) == ([], [])


def test_what_is_measured_on_is_not_trained_on(cache: Path, tmp_path: Path) -> None:
    """A sound that is in two packages belongs to the later part."""
    shutil.copytree(cache, tmp_path / "cache")

    def other(data: Path) -> None:
        soundfile.write(data / "knock.wav", sound(0), RATE)

    add("other", build(tmp_path, "other", other), tmp_path / "cache")
    sources = (*listed("training"), *listed("test", package="other"))
    clips, left = package_clips(tmp_path / "cache", "training", sources)
    assert "door.wav" not in [clip.path.name for clip in clips]
    assert "same sound as other: " in next(one.why for one in left if one.path.endswith("door.wav"))
    assert [clip.path.name for clip in package_clips(tmp_path / "cache", "test", sources)[0]] == ["knock.wav"]


def test_no_statement_no_licence_no_use(tmp_path: Path) -> None:
    def fill(data: Path) -> None:
        soundfile.write(data / "knock.wav", sound(0), RATE)

    add("mute", build(tmp_path, "mute", fill, "Free, I think.\n"), tmp_path)
    clips, left = package_clips(tmp_path, "training", (Source("mute", "training", "effects"),))
    assert clips == []
    assert left[0].why == "licence unknown"
    stated = (Source("mute", "training", "effects", licence="CC0-1.0"),)
    assert [clip.licence for clip in package_clips(tmp_path, "training", stated)[0]] == ["CC0-1.0"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_telephone_formats_are_converted_once(tmp_path: Path) -> None:
    def fill(data: Path) -> None:
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)
        soundfile.write(data / "a.wav", tone, 8_000)
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(data / "a.wav"),
            "-f",
            "mulaw",
            str(data / "hello.ulaw"),
        ]
        subprocess.run(command, check=True)
        (data / "a.wav").unlink()
        # An odd rate that the daemon's resampler refuses.
        soundfile.write(data / "odd.wav", sound(1), 11_127)

    add("phone", build(tmp_path, "phone", fill), tmp_path)
    hello, odd = entries("phone", tmp_path)
    assert hello.file.endswith("hello.ulaw.flac")
    assert soundfile.info(tmp_path / "packages" / "phone" / hello.file).samplerate == 8_000
    assert hello.duration_s == pytest.approx(1.0, abs=0.02)
    assert (hello.error, odd.error) == ("", "")
    assert odd.file.endswith("odd.wav.flac")


def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    deb = tmp_path / "x_1_all.deb"
    deb.write_bytes(b"no package")
    with pytest.raises(AedError, match=r"x_1_all\.deb: not a Debian package"):
        unpack(deb, tmp_path / "out")
    with pytest.raises(AedError):
        add("x", deb, tmp_path)
    assert not is_fetched("x", tmp_path)
    assert [path.name for path in (tmp_path / "packages").iterdir()] == []


def test_a_package_that_was_not_fetched_is_named(tmp_path: Path) -> None:
    with pytest.raises(AedError, match=r"no-such: the package has not been fetched.*fetch negatives"):
        entries("no-such", tmp_path)


def test_fetching_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[str] = []

    def fill(data: Path) -> None:
        soundfile.write(data / "knock.wav", sound(0), RATE)

    debs = {name: build(tmp_path, name, fill) for name in ("one", "two")}

    def download(package: str, into: Path) -> Path:
        downloads.append(package)
        if package not in debs:
            raise AedError("the package cannot be downloaded", where=package)
        return Path(shutil.copy(debs[package], into))

    monkeypatch.setattr(packages, "download", download)
    names = ["one", "gone", "two"]
    assert next(fetch_all(tmp_path, names)) == ("one", "")
    told = list(fetch_all(tmp_path, names))
    assert [package for package, why in told if not why] == ["one", "two"]
    assert "gone: the package cannot be downloaded" in dict(told)["gone"]
    assert downloads == ["one", "gone", "two"]
    assert sorted(path.name for path in (tmp_path / "packages").iterdir()) == ["one", "two"]


def test_without_apt_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AedError, match=r"expected apt-get.*Fetch on Debian"):
        packages.download("any", tmp_path)


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is Debian's")
def test_an_unknown_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        AedError, match=r"no-such-package-9f3: the package cannot be downloaded.*apt-get update"
    ):
        packages.download("no-such-package-9f3", tmp_path)


def test_each_package_is_in_one_part() -> None:
    parts: dict[str, set[str]] = {}
    for source in SOURCES:
        parts.setdefault(source.package, set()).add(source.part)
    assert {name for name, in_parts in parts.items() if len(in_parts) > 1} == set()
    assert {source.kind for source in SOURCES if source.part == "training"} >= {"music", "speech", "effects"}
    assert {source.kind for source in SOURCES if source.part == "calibration"} >= {
        "music",
        "speech",
        "effects",
    }
    assert {source.kind for source in SOURCES if source.part == "test"} >= {"music", "speech", "effects"}
    assert "openttd-opensfx" not in parts
