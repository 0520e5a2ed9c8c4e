"""Doctor: says what is there and what to do about the rest, and gets to its end whatever breaks."""

from __future__ import annotations

import re
import socket
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from aed_daemon import doctor, health
from aed_daemon.audio import capture
from aed_daemon.doctor import Check, run_checks
from aed_daemon.errors import AudioError

SOURCE = '[[source]]\nname = "porch"\ntype = "{}"\n'
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep PortAudio out: its answer depends on the machine."""
    monkeypatch.setattr(capture, "list_devices", list)


def look(folder: Path, text: str | None = None, **env: str) -> dict[str, Check]:
    path = folder / "aed.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    env = {"HOME": str(folder), "AED_CONFIG": str(path), **env}
    checks = run_checks(None, env)
    assert [check.name for check in checks] == list(doctor._CHECKS)
    for check in checks:
        assert check.text
        assert check.ok or check.hint
    return {check.name: check for check in checks}


def test_a_machine_that_is_ready(tmp_path: Path) -> None:
    checks = look(tmp_path, SOURCE.format("demo"))
    ready = ("python", "packages", "configuration", "engine", "recordings", "microphones", "state", "broker")
    assert [name for name in ready if not checks[name].ok] == []
    assert "1 source(s)" in checks["configuration"].text
    assert checks["broker"].text == "MQTT is not enabled"


def test_the_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least: dict[str, str] = {}
    for text in project["dependencies"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", text)
        if found:
            least.setdefault(found[1], found[2])
    assert doctor.PACKAGES.items() <= least.items()


def test_no_configuration(tmp_path: Path) -> None:
    checks = look(tmp_path)
    assert not checks["configuration"].ok
    assert "no such file" in checks["configuration"].text
    assert checks["broker"].ok


def test_no_configuration_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "find_config", lambda _: None)
    [check] = [check for check in run_checks(None, {}) if check.name == "configuration"]
    assert (check.ok, check.text) == (False, "there is none")


def test_a_configuration_with_faults(tmp_path: Path) -> None:
    check = look(tmp_path, "nod = 1\n[mqtt]\nport = 0\n" + SOURCE.format("demo"))["configuration"]
    assert not check.ok
    assert "aed.toml:1: unknown key nod" in check.text
    assert "aed.toml:3: mqtt.port" in check.text


def test_packages_missing_and_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "numpy":
            raise metadata.PackageNotFoundError(name)
        return "1.6.1" if name == "paho-mqtt" else "9999.1rc1"

    monkeypatch.setattr(metadata, "version", version)
    check = look(tmp_path)["packages"]
    assert check.text == "numpy is missing, paho-mqtt 1.6.1 is older than 2.0"
    assert not check.ok


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aed_daemon.inference.available_engines", lambda _: [])
    check = look(tmp_path)["engine"]
    assert not check.ok
    assert "tflite-runtime" in (check.hint or "")


def test_a_model_that_is_missing(tmp_path: Path) -> None:
    check = look(tmp_path, SOURCE.format("demo") + "[model]\npath = 'no.tflite'")["model"]
    assert not check.ok
    assert "no.json: no such manifest" in check.text


def test_a_microphone_is_missed_only_if_one_is_configured(tmp_path: Path) -> None:
    assert not look(tmp_path, SOURCE.format("microphone"))["microphones"].ok
    assert look(tmp_path, SOURCE.format("demo"))["microphones"].ok


def test_no_portaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise AudioError("PortAudio is not installed", hint="apt install libportaudio2")

    monkeypatch.setattr(capture, "list_devices", fail)
    check = look(tmp_path, SOURCE.format("microphone"))["microphones"]
    assert check == Check("microphones", False, "PortAudio is not installed", "apt install libportaudio2", 4)
    assert look(tmp_path, SOURCE.format("demo"))["microphones"].ok


def test_microphones_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = capture.InputDevice(2, "USB Audio (hw:1,0)", "ALSA", 1, 48_000)
    monkeypatch.setattr(capture, "list_devices", lambda: [device])
    assert look(tmp_path, SOURCE.format("microphone"))["microphones"].text == "2: USB Audio (hw:1,0)"


def test_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(tmp_path)["state"].text == f"{tmp_path}/.local/state/aed can be written"
    assert look(tmp_path, XDG_STATE_HOME=f"{tmp_path}/s")["state"].text == f"{tmp_path}/s/aed can be written"
    assert look(tmp_path, STATE_DIRECTORY=str(tmp_path))["state"].text == f"{tmp_path} can be written"
    (tmp_path / "file").touch()
    assert not look(tmp_path, STATE_DIRECTORY=f"{tmp_path}/file/aed")["state"].ok
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written" in look(tmp_path)["state"].text


def test_a_broker_that_is_away(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        text = f"[mqtt]\nenabled = true\nhost = '127.0.0.1'\nport = {port}\n"
        check = look(tmp_path, text + SOURCE.format("demo"))["broker"]
    assert not check.ok
    assert str(port) in check.text


@pytest.mark.parametrize(
    ("kernel", "told", "ok"), [(True, "", True), (False, "yes", True), (False, "no", False)]
)
def test_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool, told: str, ok: bool) -> None:
    monkeypatch.setattr(health, "clock_synchronised", lambda: kernel)
    monkeypatch.setattr(doctor, "_timedatectl", lambda: told)
    assert look(tmp_path)["clock"].ok is ok


def test_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "UNIT_FOLDERS", (str(tmp_path),))
    assert "make install-service" in look(tmp_path)["service"].text
    (tmp_path / doctor.UNIT).touch()
    assert look(tmp_path)["service"].text == f"{tmp_path}/aed-daemon.service"


def test_a_check_that_breaks_is_a_failed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        raise RuntimeError("no clock at all")

    monkeypatch.setattr(health, "clock_synchronised", broken)
    check = look(tmp_path)["clock"]
    assert (check.ok, check.text) == (False, "RuntimeError: no clock at all")
