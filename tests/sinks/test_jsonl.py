"""JsonLinesSink: lines, slow readers and readers that leave."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aed_daemon.sinks.jsonl import JsonLinesSink
from aed_daemon.sinks.protocol import Health, Sink, SourceLevel
from tests.sinks.parts import draft
from tests.waiting import wait_for


def test_it_is_a_sink() -> None:
    assert isinstance(JsonLinesSink(io.StringIO()), Sink)


@pytest.mark.parametrize("queue_lines", [0, 100])
def test_every_event_is_one_line(queue_lines: int) -> None:
    stream = io.StringIO()
    sink = JsonLinesSink(stream, queue_lines)
    for seq in range(20):
        sink.event(draft(seq=seq, label="two\nlines, größer"))
    sink.availability("porch", True, None)
    sink.level(SourceLevel("porch", -30, -20, -60, False))
    sink.health(Health(None, None, None, 0, 0, 0, 0.0))
    sink.close(5)
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(20))
    assert json.loads(lines[0])["label"] == "two\nlines, größer"


def test_lines_are_flushed_at_once() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as reader, os.fdopen(write, "w", buffering=65_536) as writer:
        JsonLinesSink(writer).event(draft(seq=7))
        assert json.loads(reader.readline())["seq"] == 7


def test_a_slow_reader_holds_nobody_up_when_there_is_a_queue() -> None:
    gate = threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait(30)
            return super().write(text)

    stream = Slow()
    sink = JsonLinesSink(stream, queue_lines=10)
    for seq in range(100):
        sink.event(draft(seq=seq))  # would hang here if it waited for the stream
    assert sink.dropped >= 88
    gate.set()
    sink.close(5)
    numbers = [json.loads(line)["seq"] for line in stream.getvalue().splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[-10:] == list(range(90, 100))


def test_close_keeps_to_its_time_when_the_reader_is_stuck() -> None:
    gate = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait(30)
            return len(text)

    sink = JsonLinesSink(Stuck(), queue_lines=10)
    sink.event(draft())
    sink.close(0.05)
    gate.set()


@pytest.mark.parametrize("queue_lines", [0, 100])
def test_a_reader_that_leaves_is_reported_by_a_flag(queue_lines: int) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as writer:
        sink = JsonLinesSink(writer, queue_lines)
        assert not sink.broken
        sink.event(draft())
        wait_for(lambda: sink.broken, "broken")
        sink.event(draft())
        sink.close(5)
    assert sink.errors == 0


def test_a_full_disk_is_counted_and_writing_goes_on() -> None:
    class Full(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = Full()
    sink = JsonLinesSink(stream)
    sink.event(draft())
    stream.full = False
    sink.event(draft(seq=1))
    assert (sink.errors, sink.broken) == (1, False)
    assert len(stream.getvalue().splitlines()) == 1


def test_a_closed_stream_is_counted() -> None:
    stream = io.StringIO()
    stream.close()
    sink = JsonLinesSink(stream)
    sink.event(draft())
    assert sink.errors == 1


def test_a_negative_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="queue_lines"):
        JsonLinesSink(io.StringIO(), -1)


def test_piped_into_head_the_program_ends_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from aed_daemon.sinks.jsonl import JsonLinesSink\n"
        "from tests.sinks.parts import draft\n"
        "sink, event = JsonLinesSink(sys.stdout), draft()\n"
        "while not sink.broken: sink.event(event)\n"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"'{sys.executable}' '{program}' | head -n 1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["."])},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert json.loads(done.stdout)["class"] == "dog"
