"""Cards by what they are: /sys trees as the kernel lays them out, written here."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aed_daemon.audio import launch
from aed_daemon.audio.capture import InputDevice
from aed_daemon.audio.identity import cards, identity_of, is_identity, resolve
from aed_daemon.audio.launch import Request
from aed_daemon.cli import devices
from aed_daemon.config_sources import MicrophoneSource
from aed_daemon.errors import AudioError

CONTROLLER = "sys/devices/platform/soc/3f980000.usb/usb1"


def plug_in(
    root: Path,
    number: int,
    card_id: str,
    *,
    usb: str | None = None,
    port: str = "1-1.3",
    serial: str | None = None,
    captures: tuple[int, ...] = (0,),
) -> Path:
    """Write what Linux has of a card; /sys/class/sound holds links into /sys/devices."""
    device = root / (f"{CONTROLLER}/1-1/{port}" if usb else f"sys/devices/platform/soc/sound{number}")
    card = (device / f"{port}:1.0" if usb else device) / "sound" / f"card{number}"
    card.mkdir(parents=True)
    (card / "id").write_text(f"{card_id}\n")
    (card / "number").write_text(f"{number}\n")
    (card / f"pcmC{number}D0p").mkdir()
    for pcm in captures:
        (card / f"pcmC{number}D{pcm}c").mkdir()
    (root / CONTROLLER).mkdir(parents=True, exist_ok=True)
    (root / CONTROLLER / "idVendor").write_text("1d6b\n")  # the root hub is a USB device too
    (root / CONTROLLER / "idProduct").write_text("0002\n")
    if usb:
        vendor, product = usb.split(":")
        (device / "idVendor").write_text(f"{vendor}\n")
        (device / "idProduct").write_text(f"{product}\n")
        if serial:
            (device / "serial").write_text(f"{serial}\n")
    folder = root / "sys/class/sound"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / f"card{number}"
    link.symlink_to(Path("../../..", card.relative_to(root)))
    return link


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small computer with an output of its own, a microphone with a serial number and an I2S one."""
    plug_in(tmp_path, 0, "Headphones", captures=())
    plug_in(tmp_path, 1, "Device", usb="0d8c:0014", serial="A:1 b")
    plug_in(tmp_path, 2, "sndrpii2scard", captures=(2, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("identity", "alsa"),
    [
        ("usb:0d8c:0014:A:1 b", "hw:1,0"),
        ("usb:0D8C:0014", "hw:1,0"),
        ("usb:1-1.3", "hw:1,0"),
        ("card:Device", "hw:1,0"),
        ("card:sndrpii2scard", "hw:2,1"),
    ],
)
def test_a_card_is_found_by_what_it_is(root: Path, identity: str, alsa: str) -> None:
    assert resolve(identity, root) == alsa


@pytest.mark.parametrize(
    "identity", ["usb:0d8c:0014:a:1 b", "usb:0d8c:0015", "usb:1-1.4", "usb:1-1", "card:Headphones", "card:1"]
)
def test_an_absent_card_names_those_there_are(root: Path, identity: str) -> None:
    with pytest.raises(AudioError) as caught:
        resolve(identity, root)
    assert caught.value.code == "device_lost"
    assert 'usb:0d8c:0014:A:1 b (card 1 "Device", port 1-1.3)' in str(caught.value)
    assert 'card:sndrpii2scard (card 2 "sndrpii2scard")' in str(caught.value)
    assert "Headphones" not in (caught.value.got or ""), "it has no input"


def test_without_sound_cards_that_is_said(tmp_path: Path) -> None:
    assert cards(tmp_path) == []
    with pytest.raises(AudioError, match="there is none"):
        resolve("card:Device", tmp_path)


def test_another_number_after_a_replug_is_the_same_microphone(root: Path) -> None:
    (root / "sys/class/sound/card1").unlink()
    plug_in(root, 7, "Device_1", usb="0d8c:0014", serial="A:1 b", port="1-1.4")
    assert resolve("usb:0d8c:0014:A:1 b", root) == "hw:7,0"


def test_of_two_equal_ones_without_serial_the_port_decides(tmp_path: Path) -> None:
    plug_in(tmp_path, 1, "Device", usb="0d8c:0014", port="1-1.2")
    plug_in(tmp_path, 2, "Device_1", usb="0d8c:0014", port="1-1.3")
    assert (resolve("usb:1-1.2", tmp_path), resolve("usb:1-1.3", tmp_path)) == ("hw:1,0", "hw:2,0")
    with pytest.raises(AudioError) as caught:
        resolve("usb:0d8c:0014", tmp_path)
    assert caught.value.code == "misconfigured"
    assert 'device = "usb:1-1.2" or "usb:1-1.3"' in str(caught.value)
    assert 'card 1 "Device"' in str(caught.value)
    assert 'card 2 "Device_1"' in str(caught.value)


def test_a_card_that_is_being_pulled_out_is_left_out(root: Path) -> None:
    (root / "sys/class/sound/card9").symlink_to("../../devices/gone")
    half = plug_in(root, 5, "Half", usb="1234:5678", port="1-1.5")
    (half / "id").unlink()
    assert [card.number for card in cards(root)] == [1, 2]


def test_the_most_lasting_identity_is_shown(root: Path) -> None:
    def shown(name: str) -> str | None:
        return identity_of(name, cards(root))

    assert shown("USB PnP Sound Device: Audio (hw:1,0)") == "usb:0d8c:0014:A:1 b"
    assert shown("USB PnP Sound Device, USB Audio (hw:CARD=Device,DEV=0)") == "usb:0d8c:0014:A:1 b"
    assert shown("I2S: - (hw:2,1)") == "card:sndrpii2scard"
    assert shown("I2S: - (hw:2,2)") is None, "it would be resolved to its first input"
    assert shown("pulse") is None
    plug_in(root, 3, "Device_1", usb="0d8c:0014", serial="A:1 b", port="1-1.4")  # a maker's one serial
    assert shown("USB PnP Sound Device: Audio (hw:1,0)") == "usb:1-1.3"
    plug_in(root, 4, "Webcam", usb="046d:0825", port="1-1.5")
    assert shown("Webcam: Audio (hw:4,0)") == "usb:046d:0825"


@given(st.text(max_size=30))
def test_every_text_is_refused_or_can_be_looked_for(text: str) -> None:
    """A configuration that passes is answered by what there is, never by a traceback."""
    try:
        source = MicrophoneSource.model_validate({"type": "microphone", "name": "a", "device": f"usb:{text}"})
    except ValidationError:
        return
    assert is_identity(str(source.device))
    with pytest.raises(AudioError):
        resolve(str(source.device), Path("/nonexistent"))


@pytest.mark.parametrize("device", ["usb:", "usb:0d8c", "usb:0d8c:00145", "usb:1-1.", "card:", "usb:USB Mic"])
def test_a_misspelt_identity_is_a_fault_of_the_configuration(device: str) -> None:
    with pytest.raises(ValidationError, match="aed-daemon devices"):
        MicrophoneSource.model_validate({"type": "microphone", "name": "a", "device": device})


def test_it_is_resolved_at_every_opening(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_ROOT", root)
    seen: list[str] = []

    def command(*arguments: str) -> list[str]:
        seen.append(arguments[1])
        return ["true"]

    monkeypatch.setattr(launch, "command", command)
    wanted = Request("usb:0d8c:0014")
    launch.microphone_child(wanted)
    (root / "sys/class/sound/card1").unlink()
    with pytest.raises(AudioError, match="no microphone is usb:0d8c:0014"):
        launch.microphone_child(wanted)
    plug_in(root, 6, "Device", usb="0d8c:0014", port="1-1.4")
    launch.microphone_child(wanted)
    assert [json.loads(device) for device in seen] == ["hw:1,0", "hw:6,0"]


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_what_to_write(
    root: Path, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        InputDevice(0, "USB PnP Sound Device: Audio (hw:1,0)", "ALSA", 1, 44_100),
        InputDevice(1, "USB PnP Sound Device, USB Audio (hw:CARD=Device,DEV=0)", "arecord", None, None),
        InputDevice(2, "pulse", "ALSA", 32, 44_100),
    ]
    there = cards(root)
    monkeypatch.setattr("aed_daemon.audio.capture.list_devices", lambda: found)
    monkeypatch.setattr("aed_daemon.audio.identity.cards", lambda: there)
    assert devices.execute(argparse.Namespace(json=as_json)) == 0
    out = capsys.readouterr().out
    if as_json:
        assert [entry["identity"] for entry in json.loads(out)] == ["usb:0d8c:0014:A:1 b"] * 2 + [None]
        return
    assert out.splitlines() == [
        "  0  USB PnP Sound Device: Audio (hw:1,0)  (1 channel, 44100 Hz, ALSA)",
        '     device = "usb:0d8c:0014:A:1 b"',
        "  1  USB PnP Sound Device, USB Audio (hw:CARD=Device,DEV=0)  (arecord)",
        '     device = "usb:0d8c:0014:A:1 b"',
        "  2  pulse  (32 channels, 44100 Hz, ALSA)",
    ]
