"""What arecord says and how it is taken; real sound through it is in test_device_loss.

A program of that name stands in for what no sound server here makes it say.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aed_daemon.audio import arecord
from aed_daemon.audio.backend import Opened, Wanted
from aed_daemon.audio.choice import AbsentError, DeviceError
from aed_daemon.audio.identity import Card, identity_of

LISTED = """null
    Discard all samples (playback) or generate zero samples (capture)
default:CARD=Device
    USB PnP Sound Device, USB Audio
    Default Audio Device
aedfifo
    pipe source
hw:CARD=Device,DEV=0
    USB PnP Sound Device, USB Audio
    Direct hardware device without any conversions
hw:CARD=Webcam,DEV=0
    USB Camera, USB Audio
    Direct hardware device without any conversions
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `arecord` is a shell script that the test writes, and nothing else's."""
    (tmp_path / "listed").write_text(LISTED)
    say(tmp_path, f'[ "$1" = -L ] && exec /bin/cat {tmp_path}/listed')
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def say(folder: Path, script: str) -> None:
    program = folder / "arecord"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{script}\n')
    program.chmod(0o755)


def wanted(device: str | int | None = "hw:1,0", **changes: int | None) -> Wanted:
    settings: dict[str, int | None] = {"rate_hz": None, "channels": None, "need": 1, **changes}
    return Wanted(device, settings["rate_hz"], settings["channels"], settings["need"] or 1, "s16")


def asked(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "asked").read_text().splitlines()]


def option(line: list[str], name: str) -> str:
    return line[line.index(name) + 1]


def heard(blocks: Iterator[tuple[memoryview, bool]]) -> tuple[bytes, bool]:
    data, lost = next(blocks)
    return bytes(data), lost


def end(opened: Opened) -> str:
    with pytest.raises(DeviceError) as caught:
        list(opened.blocks)
    return caught.value.fields["got"]


def test_hardware_is_listed_by_its_description_and_its_id(stand_in: Path) -> None:
    names = [device["name"] for device in arecord.describe()]
    assert names[2:4] == ["aedfifo", "USB PnP Sound Device, USB Audio (hw:CARD=Device,DEV=0)"]
    assert identity_of(names[3], [Card(1, "Device", 0, None)]) == "card:Device"


@pytest.mark.parametrize(
    ("device", "pcm"),
    [
        (None, "default"),
        ("hw:1,0", "hw:1,0"),
        ("dsnoop:Device", "dsnoop:Device"),
        ("aedfifo", "aedfifo"),
        ("camera", "hw:CARD=Webcam,DEV=0"),
    ],
)
def test_a_device_is_named_as_for_portaudio(stand_in: Path, device: str | None, pcm: str) -> None:
    say(stand_in, f'[ "$1" = -L ] && exec /bin/cat {stand_in}/listed; printf "0123"')
    assert end(arecord.open_stream(wanted(device))) == "its end"
    assert option(asked(stand_in)[-1], "-D") == pcm


def test_an_absent_name_and_a_number_are_errors(stand_in: Path) -> None:
    with pytest.raises(AbsentError, match="no input device matches 'piano'"):
        arecord.open_stream(wanted("piano"))
    with pytest.raises(DeviceError, match="device 3 is PortAudio's number") as caught:
        arecord.open_stream(wanted(3))
    assert caught.value.fields["code"] == "misconfigured"


def test_what_it_says_at_its_end_is_told(stand_in: Path) -> None:
    say(stand_in, 'echo "arecord: main:831: audio open error: Device or resource busy" >&2; exit 1')
    with pytest.raises(DeviceError) as caught:
        arecord.open_stream(wanted())
    assert caught.value.fields["got"] == "arecord: main:831: audio open error: Device or resource busy"


def test_what_the_hardware_refuses_is_converted_last_of_all(stand_in: Path) -> None:
    refusal = 'echo "Channels count non available" >&2; exit 1'
    say(stand_in, f'case "$*" in *plughw*) printf "abcd";; *) {refusal};; esac')
    opened = arecord.open_stream(wanted())
    assert (opened.rate_hz, opened.channels, opened.device) == (48_000, 1, "plughw:1,0")
    assert [(option(line, "-D"), option(line, "-c")) for line in asked(stand_in)] == [
        ("hw:1,0", "1"),
        ("hw:1,0", "2"),
        ("plughw:1,0", "1"),
    ]
    end(opened)


def test_the_rate_is_the_one_that_it_got(stand_in: Path) -> None:
    say(
        stand_in,
        'echo "Warning: rate is not accurate (requested = 48000Hz, got = 44100Hz)" >&2; printf "abcd"',
    )
    opened = arecord.open_stream(wanted())
    assert opened.rate_hz == 44_100
    end(opened)


def test_an_overrun_is_a_hole_before_what_follows(stand_in: Path) -> None:
    """It says so and goes on; how much is missing nobody knows."""
    for name in ("first", "second"):
        os.mkfifo(stand_in / name)
    say(
        stand_in,
        f'printf "aabb"; read _ < {stand_in}/first; echo "overrun!!! (at least 1.0 ms long)" >&2; '
        f'printf "ccdd"; read _ < {stand_in}/second; printf "ee"',
    )
    opened = arecord.open_stream(wanted())
    blocks = opened.blocks
    assert heard(blocks) == (b"aabb", False)
    (stand_in / "first").write_text("\n")
    assert heard(blocks) == (b"ccdd", True)
    (stand_in / "second").write_text("\n")
    assert heard(blocks) == (b"ee", False)
    end(opened)


def test_half_a_sample_waits_for_its_other_half(stand_in: Path) -> None:
    say(stand_in, 'printf "abc"; /bin/sleep 0.2; printf "defgh"')
    opened = arecord.open_stream(wanted(channels=2))
    parts: list[bytes] = []
    with pytest.raises(DeviceError):
        parts.extend(bytes(data) for data, _ in opened.blocks)
    assert b"".join(parts) == b"abcdefgh"
    assert all(len(part) % 4 == 0 for part in parts)


def test_without_it_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not arecord.installed()
    with pytest.raises(DeviceError) as caught:
        arecord.open_stream(wanted())
    assert "alsa-utils" in caught.value.fields["hint"]
    assert shutil.which("arecord") is None
