"""The child's own rules: which device is meant, what it tells, what it may import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

import aed_daemon
from aed_daemon.audio import capture, launch
from aed_daemon.audio.capture import MicrophoneSource, list_devices
from aed_daemon.audio.choice import DeviceError, alsa_id, choose
from aed_daemon.audio.framing import ERROR, GAP, HEADER, MESSAGE_BYTES, MessageParser, Pipe
from aed_daemon.audio.launch import Request
from aed_daemon.audio.microphone import settings
from aed_daemon.errors import AudioError

NAMES = (
    "bcm2835 Headphones: - (hw:0,0)",
    "USB PnP Sound Device: Audio (hw:1,0)",
    "USB Camera: Audio (hw:11,0)",
    "aedfifo",
    "default",
)
DEVICES = [
    {"index": at, "name": name, "max_input_channels": 2, "default_samplerate": 44_100.0}
    for at, name in enumerate(NAMES)
]

ANY = Request(backend="portaudio")


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 4),
        (3, 3),
        ("hw:1,0", 1),
        ("hw:1", 1),
        ("hw:11,0", 2),
        ("aedfifo", 3),
        ("usb pnp", 1),
        ("CAMERA", 2),
    ],
)
def test_a_device_is_chosen_by_index_id_or_name(wanted: str | int | None, index: int) -> None:
    assert choose(DEVICES, wanted, 4)["index"] == index


@pytest.mark.parametrize("wanted", ["hw:2,0", "hw:1,1", "none such", 7])
def test_an_unknown_device_names_those_there_are(wanted: str | int) -> None:
    with pytest.raises(DeviceError) as caught:
        choose(DEVICES, wanted, 4)
    assert repr(wanted) in caught.value.fields["what"]
    assert all(name in caught.value.fields["got"] for name in NAMES)


def test_an_ambiguous_name_tells_which_match() -> None:
    with pytest.raises(DeviceError, match="several") as caught:
        choose(DEVICES, "usb", 4)
    assert caught.value.fields["got"] == f'1 "{NAMES[1]}", 2 "{NAMES[2]}"'


def test_no_device_at_all() -> None:
    with pytest.raises(DeviceError) as caught:
        choose([], None, -1)
    assert caught.value.fields["got"] == "there is none"


def test_an_alsa_card_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "Device").symlink_to("card1")
    assert alsa_id("hw:CARD=Device,DEV=0", tmp_path) == "(hw:1,0)"
    assert alsa_id("hw:Device", tmp_path) == "(hw:1,"
    assert alsa_id("hw:Absent,0", tmp_path) == "(hw:Absent,0)"


class StandIn:
    """As much of sounddevice as `settings` asks for: a card that takes 48 kHz stereo only."""

    class PortAudioError(Exception):
        pass

    asked: ClassVar[list[tuple[int, int]]] = []

    def check_input_settings(self, **wanted: Any) -> None:
        self.asked.append((wanted["samplerate"], wanted["channels"]))
        if self.asked[-1] != (48_000, 2):
            raise self.PortAudioError("Invalid sample rate")


def test_what_the_device_has_is_found_where_nothing_is_asked_for() -> None:
    assert settings(StandIn(), DEVICES[1], None, None, 1, "s16") == (48_000, 2)
    assert StandIn.asked[0] == (44_100, 1)


def test_a_refused_setting_is_told() -> None:
    with pytest.raises(DeviceError) as caught:
        settings(StandIn(), DEVICES[1], 16_000, 1, 1, "s16")
    assert caught.value.fields["expected"] == "16000 Hz, 1 channels, s16"
    assert "Invalid sample rate" in caught.value.fields["got"]


def test_messages_fit_a_pipe_and_a_full_pipe_is_told_as_a_gap() -> None:
    read_end, write_end = os.pipe()
    pipe = Pipe(write_end)
    parser = MessageParser()
    parser.sample_bytes = 4
    sent = 0
    block = memoryview(bytes(4 * 700))
    for _ in range(2_000):  # 5.6 MB: more than any pipe holds
        pipe.send(sent, block, 4, False)
        sent += 700
    data = b""
    os.set_blocking(read_end, False)
    while len(part := read_some(read_end)):
        data += part
    parser.push(data)
    before = list(parser.messages())
    assert 0 < len(before) < 2_000
    assert not any(message.flags for message in before)
    assert [message.first_sample for message in before] == list(range(0, 700 * len(before), 700))
    pipe.send(sent, block, 4, False)
    pipe.send(sent + 700, memoryview(bytes(4 * 3_000)), 4, False)
    parser.push(read_some(read_end))
    after = list(parser.messages())
    assert [message.flags for message in after] == [GAP, 0, 0, 0]
    assert [len(message.body) // 4 for message in after] == [700, 1_021, 1_021, 958]
    assert max(HEADER.size + len(message.body) for message in after) <= MESSAGE_BYTES
    os.close(read_end)
    os.close(write_end)


def read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 22)
    except BlockingIOError:
        return b""


def test_a_long_error_still_fits_one_message() -> None:
    read_end, write_end = os.pipe()
    Pipe(write_end).tell(ERROR, {"what": "unknown", "got": "ä" * 9_000})
    data = os.read(read_end, 1 << 20)
    assert len(data) <= MESSAGE_BYTES
    assert json.loads(data[HEADER.size :])["what"] == "unknown"
    os.close(read_end)
    os.close(write_end)


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(aed_daemon.__file__).parents[1],
        env={**os.environ, **environment},
    )


def test_the_child_stays_small() -> None:
    done = python(
        "import sys, aed_daemon.audio.microphone as m\n"
        "try: m.load_sounddevice()\n"
        "except m.DeviceError: pass\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('numpy', 'pydantic', 'structlog')])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_runtime_modules_import_neither_scipy_nor_portaudio_nor_soundfile() -> None:
    modules = sorted(path.stem for path in Path(capture.__file__).parent.glob("*.py"))
    program = "import sys\n" + "".join(
        f"import aed_daemon.audio.{name}\n" for name in modules if name != "__init__"
    )
    done = python(program + "print([n for n in ('scipy', 'sounddevice', 'soundfile') if n in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.fixture
def without_portaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sounddevice behaves where the library is missing, for the child."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # without arecord
    # The package's own place comes first in the child; sitecustomize puts the stand-in before it.


@pytest.mark.usefixtures("without_portaudio")
def test_without_portaudio_one_sentence_names_the_package() -> None:
    for attempt in (list_devices, MicrophoneSource(ANY).open):
        with pytest.raises(AudioError) as caught:
            attempt()
        assert "libportaudio2" in str(caught.value)
        assert "Traceback" not in str(caught.value)


def test_what_libraries_print_does_not_mix_with_the_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text(
        "import os; os.write(1, b'noise of a library'); raise OSError('PortAudio library not found')\n"
    )
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # without arecord
    for attempt in (list_devices, MicrophoneSource(ANY).open):
        with pytest.raises(AudioError, match="libportaudio2"):
            attempt()


def test_a_child_that_dies_without_a_word_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "command", lambda *_: ["sh", "-c", "echo oh no >&2; exit 3"])
    with pytest.raises(AudioError, match=r"exit status 3 \(oh no\)"):
        MicrophoneSource(ANY).open()
    with pytest.raises(AudioError, match="oh no"):
        list_devices()


def test_a_child_that_hangs_at_its_start_is_told_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "command", lambda *_: ["sleep", "60"])
    monkeypatch.setattr(capture, "_HANDSHAKE_S", 0.1)
    source = MicrophoneSource(ANY)
    with pytest.raises(AudioError, match="does not open"):
        source.open()
    assert source._child is not None
    assert source._child.exit_status == -9
    with pytest.raises(AudioError, match="no answer from PortAudio"):
        list_devices()
