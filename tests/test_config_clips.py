"""The configuration of recordings: what it refuses, and the hours of the day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon import config_clips
from aed_daemon.clips.quiet_hours import QuietHours
from aed_daemon.config import Config
from aed_daemon.config_file import check_against_model, load_config
from aed_daemon.errors import ConfigError
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest


def load(folder: Path, *lines: str) -> Config:
    path = folder / "aed.toml"
    path.write_text("\n".join(['[[source]]\nname = "a"\ntype = "demo"\n[clips]', *lines]))
    return load_config(path, {})


def test_nothing_is_recorded_unless_somebody_wants_it(tmp_path: Path) -> None:
    clips = load(tmp_path).clips
    assert (clips.enabled, clips.on_request) == (False, False)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('quiet_hours = "22-6"', "two times of day"),
        ('quiet_hours = "24:00-06:00"', "two times of day"),
        ('quiet_hours = "08:00-08:00"', "same time"),
        ('classes = ["dog"]\nnever_classes = ["dog"]', "also in classes"),
        ('never_classes = ["background"]', "never published"),
        ('format = "mp3"', "flac"),
        ("pre_s = -1.0", "pre_s"),
        ("pre_s = 20.0\npost_s = 20.0\nmax_s = 40.0", "leaves nothing for the sound"),
        ("max_s = 1e9", "max_s"),
        ('classes = ["Dog!"]', "classes"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as found:
        load(tmp_path, line)
    assert "aed.toml:" in str(found.value)


@pytest.mark.parametrize("key", ["classes", "never_classes"])
def test_a_class_that_the_model_does_not_know_is_no_veto(tmp_path: Path, key: str) -> None:
    manifest = load_manifest(DEFAULT_MODEL)
    check_against_model(load(tmp_path, f'{key} = ["loud_sound", "rain"]'), manifest)
    with pytest.raises(ConfigError, match=r"aed\.toml:5: .*no class 'crying_babby'.*crying_baby"):
        check_against_model(load(tmp_path, f'{key} = ["rain", "crying_babby"]'), manifest)


@pytest.mark.parametrize("slug", ["crying_baby", "loud_sound"])
def test_a_class_that_nobody_listens_for_is_no_veto_either(tmp_path: Path, slug: str) -> None:
    manifest = load_manifest(DEFAULT_MODEL)
    off = "[detection.loud_sound]" if slug == "loud_sound" else f"[detection.classes.{slug}]"
    for enabled in ("true", "false"):
        lines = [f"enabled = {enabled}", f'never_classes = ["rain", "{slug}"]', off, "enabled = false"]
        config = load(tmp_path, *lines)
        if enabled == "false":
            check_against_model(config, manifest)
            continue
        with pytest.raises(ConfigError, match=rf"aed\.toml:6: .*'{slug}' is switched off"):
            check_against_model(config, manifest)


def test_a_build_that_never_records_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_clips, "NEVER_RECORD", True)
    load(tmp_path, "enabled = false")
    with pytest.raises(ConfigError, match=r"aed\.toml:5.*never records"):
        load(tmp_path, "enabled = true")


@given(begin=st.integers(0, 1_439), end=st.integers(0, 1_439), now=st.integers(0, 1_439))
def test_the_hours_are_those_from_the_first_to_the_second(begin: int, end: int, now: int) -> None:
    text = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    if begin == end:
        with pytest.raises(ValueError, match="same time"):
            QuietHours.parse(text)
        return
    inside = (now - begin) % 1_440 < (end - begin) % 1_440
    moment = time.mktime((2026, 11, 23, now // 60, now % 60, 30, 0, 0, -1))
    assert QuietHours.parse(text).hold(moment) == inside
