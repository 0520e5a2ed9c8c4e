"""What was set over MQTT: precedence over the configuration, restarts, pauses under a clock that jumps."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from aed_daemon.config import Config, DetectionConfig
from aed_daemon.control.settings import RemoteSettings
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.rules import class_rules, loud_rule, thresholds

CONFIGURED = {"dog": 0.6, "rain": 0.5, "loud_sound": 20.0}


def sources(*names: str, listening: bool = True) -> Config:
    return Config.model_validate(
        {"source": [{"name": name, "type": "demo", "listening": listening} for name in names]}
    )


def opened(path: Path | None, configured: dict[str, float] | None = None, **how: float) -> RemoteSettings:
    clock, monotonic = how.get("clock", 1_000.0), how.get("monotonic", 50.0)
    settings = RemoteSettings(path, clock=lambda: clock, monotonic=lambda: monotonic)
    settings.configure_sources(sources("porch", "hall").source)
    settings.configure_thresholds(CONFIGURED if configured is None else configured)
    return settings


def test_a_threshold_holds_for_its_source_alone_and_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "remote.json"
    settings = opened(path)
    settings.set_threshold("porch", "dog", 0.9)
    assert settings.save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = opened(path)
    assert again.thresholds("porch") == {**CONFIGURED, "dog": 0.9}
    assert again.thresholds("hall") == CONFIGURED
    again.set_threshold("porch", "dog", None)
    assert again.thresholds("porch") == CONFIGURED


def test_the_configuration_wins_once_its_own_value_changes(tmp_path: Path) -> None:
    path = tmp_path / "remote.json"
    settings = opened(path)
    settings.set_threshold("porch", "dog", 0.9)
    settings.set_threshold("porch", "rain", 0.8)
    settings.set_listening("hall", False)
    settings.save()
    again = opened(path, {**CONFIGURED, "dog": 0.7})
    assert again.thresholds("porch") == {"dog": 0.7, "rain": 0.8, "loud_sound": 20.0}
    assert again.take_overridden() == ["porch.dog.threshold"]
    assert again.take_overridden() == []
    assert again.silence("hall") == "listening_off"
    again.configure_sources(sources("porch", "hall", listening=False).source)
    assert again.silence("porch") == "listening_off"
    again.configure_sources(sources("porch", "hall", listening=True).source)
    assert again.silence("hall") is None, "it was set against true, then false came, and true again"


def test_a_class_that_is_away_for_a_while_keeps_its_threshold(tmp_path: Path) -> None:
    settings = opened(tmp_path / "remote.json")
    settings.set_threshold("porch", "dog", 0.9)
    settings.configure_thresholds({"rain": 0.5})
    assert settings.thresholds("porch") == {"rain": 0.5}
    settings.configure_thresholds(CONFIGURED)
    assert settings.thresholds("porch")["dog"] == 0.9


def test_detection_follows_and_off_is_never_above_on() -> None:
    manifest = load_manifest(DEFAULT_MODEL)
    base = DetectionConfig()
    settings = opened(None, thresholds(base, manifest))
    settings.set_threshold("porch", "dog", 0.05)
    settings.set_threshold("porch", "loud_sound", 40.0)
    own = settings.detection("porch", base)
    rule = next(rule for rule in class_rules(own, manifest) if rule.slug == "dog")
    assert rule.off_steps <= rule.on_steps < 20
    loud = loud_rule(own, manifest)
    assert loud is not None
    assert loud.snr_cdb == 4_000
    assert class_rules(settings.detection("hall", base), manifest) == class_rules(base, manifest)


@pytest.mark.parametrize(
    ("clock", "left_s"),
    [(1_000.0, 60.0), (1_040.0, 20.0), (0.0, 60.0), (-1e9, 60.0)],
    ids=["at once", "later", "a clock that is behind", "far behind"],
)
def test_a_pause_goes_on_after_a_restart_and_is_never_longer(
    tmp_path: Path, clock: float, left_s: float
) -> None:
    path = tmp_path / "remote.json"
    settings = opened(path)
    settings.pause("porch", 60.0)
    settings.pause("hall", None)
    settings.save()
    again = opened(path, clock=clock)
    assert again.pauses() == {"porch": left_s, "hall": None}
    assert again.silence("porch") == "paused"
    assert again.expire() == []


def test_a_pause_that_is_over_ends_and_the_switch_is_another_thing(tmp_path: Path) -> None:
    path = tmp_path / "remote.json"
    settings = opened(path)
    settings.pause("porch", 60.0)
    settings.set_listening("porch", False)
    settings.save()
    again = opened(path, clock=1_061.0)
    assert again.expire() == ["porch"]
    assert again.silence("porch") == "listening_off"
    again.set_listening("porch", True)
    assert again.silence("porch") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b'{"version": 2}', b'{"thresholds": {"porch": {"dog": 0.5}}}', b"[" * 100_000],
)
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "remote.json"
    path.write_bytes(content)
    settings = opened(path)
    assert settings.thresholds("porch") == CONFIGURED
    assert str(path) in (settings.problem or "")
    assert not path.exists()
    assert (tmp_path / "remote.json.unreadable").read_bytes() == content
    settings.set_listening("porch", False)
    assert settings.save()
    assert json.loads(path.read_text())["listening"]["porch"]["value"] is False


def test_a_folder_that_cannot_be_written_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = opened(tmp_path / "file" / "remote.json")
    settings.set_listening("porch", False)
    assert not settings.save()
    assert settings.silence("porch") == "listening_off"


def test_nothing_is_left_of_a_write_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "remote.json"
    (tmp_path / "remote.json.partial").write_text("half of i")
    settings = opened(path)
    settings.set_threshold("porch", "dog", 0.9)
    assert settings.save()
    assert [entry.name for entry in tmp_path.iterdir()] == ["remote.json"]
