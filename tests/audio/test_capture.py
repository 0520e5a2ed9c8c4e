"""Real sound: PulseAudio's pipe source, captured by the child through PortAudio."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio import capture
from aed_daemon.audio.capture import MicrophoneSource, list_devices
from aed_daemon.audio.framing import FORMAT, GAP, HEADER, Message, MessageParser
from aed_daemon.audio.launch import Request
from aed_daemon.audio.reader import CaptureReader
from aed_daemon.audio.ring import Gap, Stretch
from aed_daemon.audio.session import Conditioning
from aed_daemon.errors import AudioError
from tests.pulse_server import PulseServer
from tests.waiting import wait_for

pytestmark = pytest.mark.system

FIFO = Request("aedfifo", rate_hz=16_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    with PulseServer(tmp_path_factory.mktemp("pulse")) as running:
        yield running


@pytest.fixture
def pulse(server: PulseServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH", "PULSE_SERVER"):
        monkeypatch.setenv(name, server.environment[name])
    if not server.running:  # a test that kills it has failed
        server.start()
    yield server
    server.unload_source()


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
    source = MicrophoneSource(FIFO, stall_timeout_s=0.5)
    source.open()
    with pulse.playing(distinct(16_000)):
        record(source, 1_600)
    with pytest.raises(AudioError, match=r"stalled: expected samples within 0\.5 s, got none"):
        record(source, 10**9)
    source.close()


def reader_of(pulse: PulseServer, states: list[bool]) -> CaptureReader:
    return CaptureReader(
        lambda: MicrophoneSource(FIFO, stall_timeout_s=1.0),
        rate_hz=16_000,
        conditioning=Conditioning(dc_block_hz=0.0),
        on_state=lambda online, *_why: states.append(online),
        backoff_s=(0.1, 0.5),
    )


@pytest.mark.parametrize("how", ["unplugged", "server killed"])
def test_a_lost_device_comes_back(pulse: PulseServer, how: str) -> None:
    pulse.load_source()
    states: list[bool] = []
    reader = reader_of(pulse, states)
    reader.start()
    with pulse.playing(distinct(16_000), loop=True):
        wait_for(lambda: reader.ring.written > 4_000, "sound arrives")
        if how == "unplugged":
            pulse.unload_source()
        else:
            pulse.kill()
        wait_for(lambda: states[-1:] == [False], "the loss is told")
    if how == "server killed":
        pulse.start()
    pulse.load_source()
    before = reader.ring.written
    with pulse.playing(distinct(16_000), loop=True):
        wait_for(lambda: states[-1:] == [True], "the device is back")
        wait_for(lambda: reader.ring.written > before + 4_000, "sound arrives again")
    start_s = time.monotonic()
    assert reader.stop()
    assert time.monotonic() - start_s < 1.0
    gaps = []
    while piece := reader.ring.read(10**9):
        if isinstance(piece, Gap):
            gaps.append(piece)
        else:
            assert isinstance(piece, Stretch)
    assert {gap.reason for gap in gaps} == {"device_lost"}
    assert max(gap.end_sample - gap.first_sample for gap in gaps) > 0
    assert states[:3] == [True, False, True]


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
    assert device.channels >= 1
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
