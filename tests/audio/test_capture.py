"""Real sound: PulseAudio's pipe source, captured by the child through PortAudio."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio import capture
from aed_daemon.audio.capture import MicrophoneSource, list_devices
from aed_daemon.audio.child import Child
from aed_daemon.audio.framing import ERROR, FORMAT, GAP, HEADER, Message, MessageParser
from aed_daemon.audio.launch import Request
from aed_daemon.errors import AudioError
from tests.pulse_server import PulseServer
from tests.waiting import wait_for

pytestmark = pytest.mark.system

FIFO = Request("aedfifo", rate_hz=16_000)


def distinct(samples: int, channels: int = 1) -> NDArray[np.int16]:
    """Samples in which every stretch of two occurs once, so that a loss or a repetition shows."""
    return np.random.default_rng(5).integers(-30_000, 30_000, (samples, channels)).astype(np.int16)


def record(source: MicrophoneSource, samples: int) -> NDArray[np.int16]:
    """Read until so many samples are there."""
    parts: list[NDArray[np.float32]] = []
    while sum(map(len, parts)) < samples:
        block = source.read()
        assert block is not None
        assert not block.gap_before
        assert block.first_sample == sum(map(len, parts))
        parts.append(block.samples)
    return np.asarray(np.concatenate(parts) * 2.0**15, np.int16)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_captured_samples_are_the_written_ones(pulse: PulseServer, rate: int, channels: int) -> None:
    pulse.load_source(rate, channels)
    written = distinct(2 * rate, channels)
    source = MicrophoneSource(Request("aedfifo", rate_hz=rate, channels=channels))
    try:
        assert source.open() == (rate, channels)
        wait_for(pulse.capturing, "the child captures")
        with pulse.playing(written):
            got = record(source, rate)
    finally:
        source.close()
    (start,) = np.flatnonzero((written[:, 0] == got[0, 0]) & (np.roll(written, -1, 0)[:, 0] == got[1, 0]))
    np.testing.assert_array_equal(got, written[start : start + len(got)])


def test_a_source_that_falls_silent_has_stalled(pulse: PulseServer) -> None:
    pulse.load_source()
    source = MicrophoneSource(FIFO, stall_timeout_s=1.5)
    source.open()
    with pulse.playing(distinct(16_000)):
        record(source, 1_600)
    with pytest.raises(AudioError, match=r"stalled: expected samples within 1\.5 s, got none"):
        record(source, 10**9)
    source.close()


def test_an_unknown_device_is_an_error_that_names_those_there_are(pulse: PulseServer) -> None:
    pulse.load_source()
    with pytest.raises(AudioError) as caught:
        MicrophoneSource(Request("no such thing")).open()
    assert "'no such thing'" in str(caught.value)
    assert '"aedfifo"' in str(caught.value)


def test_the_list_of_devices(pulse: PulseServer) -> None:
    pulse.load_source()
    (device,) = [device for device in list_devices() if device.name == "aedfifo"]
    assert device.host_api == "ALSA"
    assert device.channels is not None
    assert device.channels >= 1
    assert device.default_rate_hz is not None
    assert device.default_rate_hz >= 8_000
    by_index = MicrophoneSource(Request(device.index, rate_hz=16_000))
    by_index.open()
    assert by_index.device_name == "aedfifo"
    by_index.close()


def children(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


def test_the_child_dies_with_its_parent(pulse: PulseServer) -> None:
    pulse.load_source()
    program = (
        "import sys; from aed_daemon.audio.capture import MicrophoneSource as M, Request;"
        "m = M(Request('aedfifo', rate_hz=16_000)); m.open(); print(m._child._process.pid, flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=pulse.environment,
        cwd=Path(capture.__file__).parents[2],
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not alive(child), "the child has ended")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_signal_to_all_processes_of_the_daemon_leaves_the_child_to_its_parent(pulse: PulseServer) -> None:
    pulse.load_source()
    source = MicrophoneSource(FIFO)
    source.open()
    assert source._child is not None
    process = source._child._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    with pulse.playing(distinct(16_000), loop=True):
        assert len(record(source, 8_000)) >= 8_000
    source.close()


def test_a_child_that_hangs_is_killed_and_close_wakes_a_read(pulse: PulseServer) -> None:
    pulse.load_source()
    source = MicrophoneSource(FIFO, stall_timeout_s=60.0)
    source.open()
    assert source._child is not None
    process = source._child._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    start_s = time.monotonic()
    source.close()
    thread.join(5.0)
    assert time.monotonic() - start_s < 1.0
    assert results == [None]
    assert process.poll() == -signal.SIGKILL


def test_a_reader_that_stands_still_makes_the_child_drop_and_tell(pulse: PulseServer) -> None:
    rate = 48_000
    pulse.load_source(rate, 8)
    source = MicrophoneSource(Request("aedfifo", rate_hz=rate, channels=8, sample_format="s32"))
    source.open()
    child = source._child
    assert child is not None
    # 48,000 samples of 32 bytes a second: the pipe of 1 MiB is full after 0.7 s.
    with pulse.playing(distinct(rate, 8), loop=True) as writer:
        first = source.read()
        assert first is not None
        writer.done.wait(1.5)
        end = 0
        gaps = 0
        while gaps == 0:
            block = source.read()
            assert block is not None
            if block.gap_before:
                gaps += 1
                assert block.first_sample > end
            end = block.first_sample + len(block.samples)
    source.close()
    assert child.closed


@settings(deadline=None)
@given(
    bodies=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=20),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_messages_are_found_however_the_bytes_arrive(
    bodies: list[tuple[int, bool]], sizes: list[int]
) -> None:
    parser = MessageParser()
    parser.sample_bytes = 4
    sent, data, at = [], b"", 0
    for count, text in bodies:
        flags = FORMAT if text else GAP
        body = bytes(count * (1 if text else 4))
        sent.append(Message(at, flags, body))
        data += HEADER.pack(at, count, flags) + body
        at += count
    got: list[Message] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        turn += 1
        parser.push(data[:size])
        data = data[size:]
        got += parser.messages()
    assert got == sent


def saying(*messages: tuple[int, bytes]) -> MicrophoneSource:
    """A microphone whose capture process says this, and then nothing."""
    told = b"".join(HEADER.pack(0, len(body), flags) + body for flags, body in messages)
    program = f"import os, time; os.write(1, {told!r}); time.sleep(60)"
    return MicrophoneSource(FIFO, child=Child([sys.executable, "-c", program], "a broken one"))


GOOD_FORMAT = (FORMAT, b'{"rate_hz": 16000, "channels": 1, "device": "x"}')


@pytest.mark.parametrize(
    "message",
    [
        (FORMAT, b"{"),
        (FORMAT, b"\xff\xfe"),
        (FORMAT, b"[16000, 1]"),
        (FORMAT, b"{}"),
        (FORMAT, b'{"rate_hz": 0, "channels": 1}'),
        (FORMAT, b'{"rate_hz": 16000, "channels": true}'),
        (ERROR, b"no device"),
        (ERROR, b'"no device"'),
    ],
)
def test_a_capture_process_that_cannot_be_understood_is_an_error_like_any_other(
    message: tuple[int, bytes],
) -> None:
    source = saying(message)
    with pytest.raises(AudioError, match="cannot be understood"):
        source.open()


@pytest.mark.parametrize("message", [GOOD_FORMAT, (ERROR, b"\x00")])
def test_what_is_no_sound_is_not_taken_for_it(message: tuple[int, bytes]) -> None:
    source = saying(GOOD_FORMAT, message)
    try:
        assert source.open() == (16_000, 1)
        with pytest.raises(AudioError, match="cannot be understood"):
            source.read()
    finally:
        source.close()
