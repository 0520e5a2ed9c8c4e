"""Raw PCM from a descriptor and from programs: any portions, endings, stalls, kills."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.audio.condition import SAMPLE_DTYPE, SampleFormat
from aed_daemon.audio.pcm import CommandSource, StdinSource
from aed_daemon.audio.reader import CaptureReader
from aed_daemon.audio.session import Conditioning
from aed_daemon.audio.source import Block
from aed_daemon.errors import AudioError
from tests.waiting import wait_for


def pcm(sample_format: SampleFormat, samples: int, channels: int) -> bytes:
    random = np.random.default_rng(7)
    dtype = SAMPLE_DTYPE[sample_format]
    if dtype.kind == "f":
        return random.uniform(-1, 1, samples * channels).astype(dtype).tobytes()
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, samples * channels).astype(dtype).tobytes()


@settings(deadline=None, max_examples=40)
@given(
    sample_format=st.sampled_from(["s16", "s32", "f32"]),
    channels=st.integers(1, 3),
    portions=st.lists(st.integers(1, 997), min_size=1, max_size=8),
    cut=st.integers(0, 11),
)
def test_any_portions_give_the_same_samples(
    sample_format: SampleFormat, channels: int, portions: list[int], cut: int
) -> None:
    data = pcm(sample_format, 500, channels)
    data = data[: len(data) - cut]
    unit = SAMPLE_DTYPE[sample_format].itemsize * channels
    read_end, write_end = os.pipe()
    source = StdinSource(rate_hz=16_000, channels=channels, sample_format=sample_format, descriptor=read_end)
    source.open()
    blocks: list[Block] = []

    def write() -> None:
        at = turn = 0
        while at < len(data):
            at += os.write(write_end, data[at : at + portions[turn % len(portions)]])
            turn += 1
        os.close(write_end)

    thread = threading.Thread(target=write)
    thread.start()
    while block := source.read():
        assert block.first_sample == sum(len(earlier.samples) for earlier in blocks)
        blocks.append(block)
    thread.join()
    source.close()
    os.close(read_end)
    got = np.concatenate([block.samples for block in blocks])
    whole = data[: len(data) // unit * unit]
    expected = np.frombuffer(whole, SAMPLE_DTYPE[sample_format]).reshape(-1, channels).astype(np.float64)
    scale = {"s16": 2.0**15, "s32": 2.0**31, "f32": 1.0}[sample_format]
    np.testing.assert_allclose(got, expected / scale, atol=1e-7)


def test_times_of_a_pipe_that_waits_count_from_its_opening() -> None:
    read_end, write_end = os.pipe()
    source = StdinSource(rate_hz=16_000, descriptor=read_end)
    source.open()
    os.write(write_end, bytes(3_200))
    first = source.read()
    os.write(write_end, bytes(32_000))
    second = source.read()
    assert first is not None
    assert second is not None
    assert second.wall_time_s - first.wall_time_s == pytest.approx(1.0, abs=1e-6)
    source.close()
    os.close(read_end)
    os.close(write_end)


def test_standard_input_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.raw"
    path.write_bytes(pcm("s16", 1_000, 1))
    with path.open("rb") as file:
        source = StdinSource(rate_hz=16_000, descriptor=file.fileno())
        source.open()
        block = source.read()
        assert block is not None
        assert len(block.samples) == 1_000
        assert source.read() is None
        source.close()


def test_close_wakes_a_waiting_read() -> None:
    read_end, write_end = os.pipe()
    source = StdinSource(rate_hz=16_000, descriptor=read_end)
    source.open()
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.close()
    source.close()
    thread.join(5.0)
    assert results == [None]
    os.close(read_end)
    os.close(write_end)


def test_a_terminal_is_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        closed = False

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(AudioError, match="a terminal"):
        StdinSource(rate_hz=16_000).open()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def samples_of(source: CommandSource) -> int:
    source.open()
    count = 0
    while block := source.read():
        count += len(block.samples)
    return count


def test_a_program_that_may_end_is_read_to_its_end() -> None:
    program = python("import sys; sys.stdout.buffer.write(bytes(20_001))")
    source = CommandSource(program, rate_hz=16_000, live=False)
    assert samples_of(source) == 10_000
    source.close()


@pytest.mark.parametrize("live", [True, False])
def test_a_program_that_fails_says_why(live: bool) -> None:
    program = python("import sys; print('no such card', file=sys.stderr); sys.exit(7)")
    source = CommandSource(program, rate_hz=16_000, live=live)
    with pytest.raises(AudioError, match=r"exit status 7 \(no such card\)"):
        samples_of(source)
    source.close()


def test_a_live_program_that_ends_is_lost() -> None:
    source = CommandSource(["true"], rate_hz=16_000)
    with pytest.raises(AudioError, match="exit status 0"):
        samples_of(source)
    source.close()


def test_a_program_that_is_not_there() -> None:
    source = CommandSource(["aed-no-such-program"], rate_hz=16_000)
    with pytest.raises(AudioError, match="aed-no-such-program: No such file"):
        source.open()
    source.close()


def test_a_program_that_says_nothing_has_stalled() -> None:
    source = CommandSource(["sleep", "60"], rate_hz=16_000, stall_timeout_s=0.1)
    source.open()
    with pytest.raises(AudioError, match=r"stalled: expected samples within 0\.1 s"):
        source.read()
    source.close()


def test_endless_progress_on_one_line_takes_no_memory_and_its_end_is_told() -> None:
    program = python(
        "import sys; sys.stderr.write('\\rsize=1' * 100_000 + '\\rConnection refused'); sys.exit(1)"
    )
    source = CommandSource(program, rate_hz=16_000)
    with pytest.raises(AudioError, match="Connection refused"):
        samples_of(source)
    assert len(source._child._tail) <= 2_000
    source.close()


def test_close_kills_all_that_was_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = CommandSource(
        ["sh", "-c", f"sleep 300 & echo $! > {note}.new; mv {note}.new {note}; wait"], rate_hz=16_000
    )
    source.open()
    wait_for(note.exists, "the grandchild runs")
    grandchild = int(note.read_text())
    start_s = time.monotonic()
    source.close()
    assert time.monotonic() - start_s < 1.0
    assert source.read() is None
    wait_for(lambda: not running(grandchild), "the grandchild is gone")


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_reader_starts_a_program_again() -> None:
    program = python("import sys; sys.stdout.buffer.write(bytes(6_400))")
    reader = CaptureReader(
        lambda: CommandSource(program, rate_hz=16_000),
        rate_hz=16_000,
        conditioning=Conditioning(),
        backoff_s=(0.01, 0.02),
    )
    reader.start()
    wait_for(lambda: reader.counters().losses >= 2, "it has been started again")
    assert reader.stop()
    assert reader.counters().samples >= 6_400
