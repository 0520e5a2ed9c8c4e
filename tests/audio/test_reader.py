"""The reader: source to ring, with indices that stay true through gaps, losses and ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.condition import Conditioner
from aed_daemon.audio.reader import CaptureReader
from aed_daemon.audio.resample import Resampler
from aed_daemon.audio.ring import Gap, Stretch
from aed_daemon.audio.session import Conditioning
from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.errors import AudioError
from tests.audio.scripted import Hang, ScriptedSource, Step
from tests.waiting import wait_for

RAW = Conditioning(dc_block_hz=0.0)
LOST = AudioError("the device has gone", where="scripted")


def signal(samples: int, channels: int = 1, seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def blocks(samples: NDArray[np.float32], size: int, first: int = 0, wall_s: float = 0.0) -> list[Step]:
    return [
        Block(first + at, samples[at : at + size], False, wall_s + (first + at + size) / 16_000)
        for at in range(0, len(samples), size)
    ]


def drain(reader: CaptureReader, timeout_s: float = 20.0) -> list[Stretch | Gap]:
    """Read to the end of the ring; consecutive stretches are joined."""
    pieces: list[Stretch | Gap] = []
    while True:
        told = reader.ring.wait(reader.ring.read_index + 1, timeout_s)
        assert told != "timeout"
        piece = reader.ring.read(10_000)
        if piece is None:
            if told == "closed":
                return pieces
            continue
        if pieces and isinstance(piece, Stretch) and isinstance(last := pieces[-1], Stretch):
            assert piece.first_sample == last.first_sample + len(last.samples)
            pieces[-1] = Stretch(last.first_sample, np.concatenate([last.samples, piece.samples]))
        else:
            pieces.append(piece)


def play(*sources: ScriptedSource, **options: object) -> CaptureReader:
    waiting = iter(sources)
    reader = CaptureReader(
        lambda: next(waiting),
        rate_hz=16_000,
        conditioning=options.pop("conditioning", RAW),  # type: ignore[arg-type]
        backoff_s=(0.02, 0.05),
        **options,  # type: ignore[arg-type]
    )
    reader.start()
    return reader


def test_a_source_at_the_models_rate_arrives_as_it_is() -> None:
    samples = signal(5_000)
    reader = play(ScriptedSource(blocks(samples, 320)))
    (piece,) = drain(reader)
    assert isinstance(piece, Stretch)
    np.testing.assert_array_equal(piece.samples, samples[:, 0])
    assert reader.ring.close_reason == "ended"
    assert reader.counters().samples == 5_000
    assert reader.counters().state == "ended"
    assert reader.error is None


@settings(deadline=None, max_examples=20)
@given(rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]), size=st.integers(1, 3_000))
def test_any_rate_in_any_blocks_equals_the_batch(rate: int, size: int) -> None:
    samples = signal(9_000, 2)
    conditioner, resampler = Conditioner(rate), Resampler(rate, 16_000)
    expected = np.concatenate([resampler.push(conditioner.push(samples)), resampler.flush()])
    source = ScriptedSource(blocks(samples, size), form=PcmFormat(rate, 2), live=False)
    reader = play(source, conditioning=Conditioning(), ring_s=0.05)
    (piece,) = drain(reader)
    assert isinstance(piece, Stretch)
    np.testing.assert_array_equal(piece.samples, expected)
    assert reader.ring.overruns == 0


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_after_a_gap_nothing_of_before_is_left_and_indices_are_true(rate: int) -> None:
    before, after = signal(rate, seed=1), signal(rate, seed=2)
    script = blocks(before, 441) + blocks(after, 441, first=3 * rate)
    reader = play(ScriptedSource(script, form=PcmFormat(rate, 1)))
    first, gap, second = drain(reader)
    for piece, raw in ((first, before), (second, after)):
        fresh = Resampler(rate, 16_000)
        assert isinstance(piece, Stretch)
        np.testing.assert_array_equal(piece.samples, np.concatenate([fresh.push(raw[:, 0]), fresh.flush()]))
    assert gap == Gap(16_000, 48_000, "gap")
    assert second.first_sample == 48_000
    assert reader.counters().gaps == 1


def test_a_gap_of_unknown_length_is_a_cut() -> None:
    script = [Block(0, signal(100), False, 0.0), Block(100, signal(100), True, 0.0)]
    first, gap, second = drain(play(ScriptedSource(script)))
    assert gap == Gap(100, 100, "gap")
    assert (first.first_sample, second.first_sample) == (0, 100)


def test_after_a_gap_of_unknown_length_times_are_measured_anew() -> None:
    script: list[Step] = [
        Block(0, signal(16_000), False, 101.0),
        Block(16_000, signal(16_000), True, 107.0),
    ]
    reader = play(ScriptedSource(script))
    drain(reader)
    assert reader.clock.utc_s(16_000) == pytest.approx(106.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_the_thread_leaves_nobody_waiting() -> None:
    states: list[bool] = []
    broken = Block(0, np.zeros((3, 0), np.float32), False, 0.0)
    reader = play(ScriptedSource([broken]), on_state=lambda online, *_why: states.append(online))
    drain(reader)
    assert reader.stop()  # the thread has ended: its traceback is this test's
    assert reader.counters().state == "failed"
    assert states[-1] is False


def test_a_lost_source_is_a_state_and_comes_back_later_in_time() -> None:
    states: list[tuple[bool, str | None]] = []
    now_s = time.time()
    sources = [
        ScriptedSource([*blocks(signal(1_600), 320, wall_s=now_s), LOST]),
        ScriptedSource([], form=AudioError("no such device", where="scripted")),
        ScriptedSource([LOST]),
        ScriptedSource(blocks(signal(1_600, seed=9), 320, wall_s=now_s + 0.1)),
    ]
    reader = play(*sources, on_state=lambda online, _code, detail: states.append((online, detail)))
    first, cut, gap, second = drain(reader)
    assert isinstance(first, Stretch)
    assert len(first.samples) == 1_600
    assert cut == Gap(1_600, 1_600, "device_lost")
    assert isinstance(gap, Gap)
    assert gap.reason == "device_lost"
    assert gap.first_sample == 1_600
    assert 0.02 * 16_000 <= gap.end_sample - gap.first_sample < 10 * 16_000
    assert second.first_sample == gap.end_sample
    assert [online for online, _ in states] == [True, False, False, True, False]
    assert states[1][1] == str(LOST)
    assert states[2][1] == "scripted: no such device.", "why it does not come back is told, too"
    counters = reader.counters()
    assert (counters.losses, counters.gaps) == (3, 1)
    assert all(source.closed.is_set() for source in sources)


def test_a_one_shot_reader_hands_the_error_on_after_the_sound() -> None:
    source = ScriptedSource([*blocks(signal(1_000), 320), LOST], live=False)
    reader = play(source, retry=False)
    pieces = drain(reader)
    assert sum(len(piece.samples) for piece in pieces if isinstance(piece, Stretch)) == 1_000
    assert reader.error is LOST
    assert reader.ring.close_reason == str(LOST)
    assert reader.counters().state == "failed"


def test_a_file_that_breaks_off_is_not_played_again_and_again() -> None:
    reader = play(ScriptedSource([*blocks(signal(1_000), 320), LOST], live=False))
    drain(reader)
    assert reader.error is LOST


def test_a_channel_that_does_not_exist_is_told() -> None:
    source = ScriptedSource(blocks(signal(10, 2), 10), form=PcmFormat(16_000, 2))
    reader = play(source, retry=False, conditioning=Conditioning(channel=2))
    assert drain(reader) == []
    assert "expected 0 to 1, got 2" in str(reader.error)


def test_a_live_source_is_never_held_up_and_the_reader_sees_the_overrun() -> None:
    samples = signal(48_000)
    reader = play(ScriptedSource(blocks(samples, 480)), ring_s=1.0)
    assert reader.ring.wait(100_000, 20.0) in ("ready", "closed")
    while not reader.ring.closed:
        assert reader.ring.wait(10**9, 20.0) != "timeout"
    gap, rest = drain(reader)
    assert gap == Gap(0, 44_000, "overrun"), "the newest quarter of a second is left"
    assert isinstance(rest, Stretch)
    np.testing.assert_array_equal(rest.samples, samples[44_000:, 0])
    assert reader.counters().overruns == 1


def stops_promptly(reader: CaptureReader) -> None:
    start_s = time.monotonic()
    assert reader.stop()
    assert time.monotonic() - start_s < 1.0
    assert reader.ring.closed
    assert reader.counters().state == "stopped"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScriptedSource([Hang]),
        lambda: ScriptedSource([], form=LOST),
        lambda: ScriptedSource(blocks(signal(40_000), 320), live=False),
    ],
    ids=["device hangs", "device is away", "ring is full"],
)
def test_stop_is_prompt(make: Callable[[], ScriptedSource]) -> None:
    entered = threading.Event()

    def source() -> ScriptedSource:
        entered.set()
        return make()

    reader = CaptureReader(source, rate_hz=16_000, ring_s=0.1, backoff_s=(60.0, 60.0))
    reader.start()
    assert entered.wait(10.0)
    stops_promptly(reader)


def test_stop_of_a_reader_that_never_started() -> None:
    reader = CaptureReader(lambda: ScriptedSource([]), rate_hz=16_000)
    assert reader.stop()


def test_times_come_from_the_least_delayed_block() -> None:
    late_s = [0.2, 0.05, 0.0, 0.3, 0.1]
    script: list[Step] = [
        Block(index * 320, signal(320), False, 700.0 + (index + 1) * 0.02 + late)
        for index, late in enumerate(late_s)
    ]
    reader = play(ScriptedSource(script))
    drain(reader)
    assert reader.clock.utc_s(0) == pytest.approx(700.0, abs=1e-6)


@pytest.mark.parametrize(("live", "expected"), [(False, "waiting"), (True, "running")])
def test_a_pipe_into_which_nobody_writes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, live: bool, expected: str
) -> None:
    """The watchdog must not end a daemon because its standard input pauses; a live one owes samples."""
    monkeypatch.setattr("aed_daemon.audio.reader._IDLE_S", 0.05)
    block = Block(0, np.zeros((16_000, 1), np.float32), False, 0.0)
    reader = CaptureReader(lambda: ScriptedSource([block, Hang], live=live), rate_hz=16_000)
    reader.start()
    wait_for(lambda: reader.ring.written == 16_000, "the block")
    assert reader.counters().state == "running"
    reader.ring.read(16_000)
    paused_s = time.monotonic() + 0.1
    wait_for(lambda: time.monotonic() > paused_s, "a pause")
    assert reader.counters().state == expected
    reader.stop()


def dead(samples: int, value: float = 0.0, first: int = 0) -> list[Step]:
    return blocks(np.full((samples, 1), value, np.float32), 320, first)


def codes_of(sources: list[ScriptedSource], dead_signal_s: float = 0.1) -> tuple[CaptureReader, list[str]]:
    states: list[str] = []

    def told(online: bool, code: str | None, _detail: str | None) -> None:
        states.append("online" if online else str(code))

    return play(*sources, on_state=told, dead_signal_s=dead_signal_s), states


@pytest.mark.parametrize("value", [0.0, -0.25, 1.0])
def test_a_dead_signal_is_a_loss_and_the_first_sample_that_varies_ends_it(value: float) -> None:
    alive, late = signal(1_600), signal(1_600, seed=4)
    back = [*dead(640, value), *blocks(late, 320, 640)]
    reader, states = codes_of(
        [ScriptedSource([*blocks(alive, 320), *dead(3_200, value, 1_600)]), ScriptedSource(back)]
    )
    pieces = drain(reader)
    assert states == ["online", "dead_signal", "online", "ended"]
    (last,) = [piece for piece in pieces[-1:] if isinstance(piece, Stretch)]
    np.testing.assert_array_equal(last.samples, late[:, 0])
    assert [piece.reason for piece in pieces if isinstance(piece, Gap)] == ["device_lost"] * 2
    assert "one and the same value" not in str(reader.error)


def test_a_signal_that_stays_dead_is_told_once_and_opened_again_and_again() -> None:
    sources = [ScriptedSource(dead(3_200)) for _ in range(3)] + [ScriptedSource(blocks(signal(320), 320))]
    reader, states = codes_of(sources)
    drain(reader)
    assert states == ["online", "dead_signal", "online", "ended"]
    assert reader.counters().losses == 3


@pytest.mark.parametrize(
    ("live", "dead_signal_s"), [(False, 0.1), (True, 0.0)], ids=["a silent file", "turned off"]
)
def test_silence_is_no_fault_of(live: bool, dead_signal_s: float) -> None:
    reader, states = codes_of([ScriptedSource(dead(16_000), live=live)], dead_signal_s)
    drain(reader)
    assert states == ["online", "ended"]


def test_only_the_channel_that_is_listened_to_must_live() -> None:
    samples = signal(16_000, 2)
    samples[:, 1] = 0.0
    for channel, expected in ((0, "ended"), (1, "dead_signal"), ("mix", "ended")):
        states: list[str | None] = []
        reader = play(
            ScriptedSource(blocks(samples, 320), form=PcmFormat(16_000, 2)),
            conditioning=Conditioning(channel=channel, dc_block_hz=0.0),  # type: ignore[arg-type]
            on_state=lambda _online, code, _detail, states=states: states.append(code),
            dead_signal_s=0.2,
            retry=False,
        )
        drain(reader)
        assert states[-1] == expected


def test_what_cannot_be_used_has_its_own_word() -> None:
    source = ScriptedSource(blocks(signal(10, 2), 10), form=PcmFormat(16_000, 2))
    states: list[str | None] = []
    reader = play(
        source,
        retry=False,
        conditioning=Conditioning(channel=2),
        on_state=lambda _online, code, _detail: states.append(code),
    )
    drain(reader)
    assert states == ["misconfigured"]


def test_a_source_that_may_be_repeated_is_opened_again_after_it_broke_off() -> None:
    first = ScriptedSource([*blocks(signal(640), 320), LOST], live=False)
    first.repeatable = True
    reader = play(first, ScriptedSource([], live=False))
    drain(reader)
    assert reader.error is None
    assert reader.counters().losses == 1
