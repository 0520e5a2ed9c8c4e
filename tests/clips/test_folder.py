"""ClipFolder: its own files are found and nothing else is, whatever is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aed_daemon.clips.folder import ClipFolder, source_folder, time_of
from aed_daemon.events import new_ulid

ID = new_ulid(1_795_396_461.48)
DAY = "2026-11-23"


def place(root: Path, relative: str, content: bytes = b"sound") -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_clip_is_found_by_its_name_and_by_its_id(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path)
    name = folder.name("porch", ID, ".flac")
    assert name == f"porch/{DAY}/{ID}.flac"
    assert (folder.resolve(name), folder.find(ID)) == (None, None)
    path = place(tmp_path, name)
    picture = place(tmp_path, folder.name("porch", ID, ".png"))
    place(tmp_path, f"porch/{DAY}/{ID}.flac.partial")
    assert folder.find(ID) == folder.resolve(name) == path
    assert folder.resolve(f"porch/{DAY}/{ID}.png") == picture
    assert {file.path for file in folder.files()} == {path, picture}
    assert [file.name for file in folder.partials()] == [f"{ID}.flac.partial"]


def test_the_time_of_an_id_is_its_onset() -> None:
    assert time_of(ID) == pytest.approx(1_795_396_461.48, abs=1e-3)


@pytest.mark.parametrize(
    "relative",
    [
        "",
        ".",
        "/",
        "../outside.flac",
        f"../{DAY}/{ID}.flac",
        f"porch/../{ID}.flac",
        f"porch/{DAY}/../{ID}.flac",
        f"porch/{DAY}/../../../etc/passwd",
        f"/porch/{DAY}/{ID}.flac",
        f"porch//{DAY}/{ID}.flac",
        f"porch/{DAY}/{ID}.flac/",
        f"porch/{DAY}/{ID}.flac\x00",
        f"porch/{DAY}/{ID}.flac\n",
        f"porch/{DAY}/{ID}.txt",
        f"porch/{DAY}/{ID}.flac.partial",
        f"porch/{DAY}/{ID.lower()}.flac",
        f"porch/{DAY}/{ID}",
        f"porch/{DAY}/notes.flac",
        f"porch\\{DAY}\\{ID}.flac",
        f"link/{DAY}/{ID}.flac",
        f"porch/2026-11-24/{ID}.flac",
        f"porch/{DAY}/{ID}.wav",
        f"porch/{DAY}/{ID}.json",
    ],
)
def test_nothing_else_is_found(tmp_path: Path, relative: str) -> None:
    """Among others a folder, a link to a clip and a link to a folder of clips that have a clip's name."""
    root = tmp_path / "clips"
    outside = place(tmp_path, f"{DAY}/{ID}.flac", b"secret")
    place(tmp_path, "outside.flac")
    place(root, f"porch/{DAY}/{ID}.flac")
    place(root, f"porch/{DAY}/{ID}.txt")
    place(root, f"porch/{DAY}/notes.flac")
    place(root, f"porch/{DAY}/{ID}.flac.partial")
    (root / "link").symlink_to(tmp_path)
    (root / "porch" / "2026-11-24").symlink_to(tmp_path / DAY)
    (root / "porch" / DAY / f"{ID}.wav").symlink_to(outside)
    (root / "porch" / DAY / f"{ID}.json").mkdir()
    folder = ClipFolder(root)
    assert folder.resolve(f"porch/{DAY}/{ID}.flac") is not None
    assert folder.resolve(relative) is None
    assert {file.path for file in folder.files()} == {root / "porch" / DAY / f"{ID}.flac"}


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(["..", "porch", DAY, f"{ID}.flac", ""])).map("/".join))
@example("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
def test_whatever_is_asked_for_stays_inside(tmp_path_factory: pytest.TempPathFactory, asked: str) -> None:
    root = tmp_path_factory.getbasetemp() / "inside"
    clip = place(root, f"porch/{DAY}/{ID}.flac")
    folder = ClipFolder(root)
    assert folder.resolve(asked) in (None, clip)
    assert folder.find(asked) in (None, clip)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=64))
@example("..")
@example(".hidden")
@example("-rf")
@example("Küche/Flur")
@example("\U0001d518" * 64)
def test_a_clip_of_any_source_can_be_found_again(
    tmp_path_factory: pytest.TempPathFactory, source: str
) -> None:
    folder = ClipFolder(tmp_path_factory.getbasetemp() / "sources")
    path = place(folder.root, folder.name(source, ID, ".flac"))
    assert folder.resolve(folder.name(source, ID, ".flac")) == path
    assert folder.find(ID) == path
    assert path.parents[2] == folder.root
    folder.delete(path)
    assert not folder.root.exists() or not list(folder.root.iterdir())


def test_sources_whose_names_look_alike_are_told_apart() -> None:
    assert source_folder("porch-2_b.c") == "porch-2_b.c"
    names = {source_folder(source) for source in ("a b", "a_b", "a:b", "A b", "ä", "ö", ".", "..")}
    assert len(names) == 8


def test_folders_that_are_empty_go_with_their_last_clip(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path / "clips")
    first = place(folder.root, folder.name("porch", ID, ".flac"))
    second = place(folder.root, folder.name("porch", new_ulid(1_795_396_461.48), ".flac"))
    assert folder.delete(first)
    assert second.exists()
    assert folder.delete(second)
    assert folder.delete(second), "one that is gone already is no error"
    assert list(folder.root.iterdir()) == []
