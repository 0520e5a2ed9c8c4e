"""The ring: what is written is read, once and in order, or is part of a gap that is told."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.ring import Gap, Ring, Stretch

# Sample values are their own index, so that a misplaced one shows; float32 holds them exactly.


def ramp(first: int, count: int) -> NDArray[np.float32]:
    return np.arange(first, first + count, dtype=np.float32)


class Write(NamedTuple):
    samples: int


class Cut(NamedTuple):
    length: int


class Read(NamedTuple):
    at_most: int


operations = st.lists(
    st.one_of(
        st.builds(Write, st.integers(0, 40)),
        st.builds(Cut, st.integers(0, 50)),
        st.builds(Read, st.integers(1, 30)),
    ),
    max_size=60,
)


def check_account(pieces: list[Stretch | Gap], written: set[int], end: int) -> None:
    """Every index from 0 to `end` is in exactly one piece, in order, and says its own number."""
    at = 0
    for piece in pieces:
        assert piece.first_sample == at
        if isinstance(piece, Stretch):
            assert len(piece.samples) > 0
            np.testing.assert_array_equal(piece.samples, ramp(at, len(piece.samples)))
            assert set(range(at, at + len(piece.samples))) <= written
            at += len(piece.samples)
        else:
            at = piece.end_sample
    assert at == end


@settings(deadline=None)
@given(capacity=st.integers(1, 32), keep=st.integers(1, 40) | st.none(), script=operations)
def test_every_index_is_read_once_or_in_a_gap(
    capacity: int, keep: int | None, script: list[Write | Cut | Read]
) -> None:
    ring = Ring(capacity, keep)
    pieces: list[Stretch | Gap] = []
    written: set[int] = set()
    for step in script:
        if isinstance(step, Write):
            first = ring.written
            ring.write(ramp(first, step.samples), wait=False)
            written |= set(range(first, first + step.samples))
        elif isinstance(step, Cut):
            ring.cut(ring.written + step.length, "gap")
        elif piece := ring.read(step.at_most):
            pieces.append(piece)
    while piece := ring.read(7):
        pieces.append(piece)
    check_account(pieces, written, ring.written)
    unread = written - {
        index
        for piece in pieces
        if isinstance(piece, Stretch)
        for index in range(piece.first_sample, piece.first_sample + len(piece.samples))
    }
    assert bool(unread) == (ring.overruns > 0)


@settings(deadline=None)
@given(script=operations)
def test_a_cut_is_always_told_where_nothing_overran(script: list[Write | Cut | Read]) -> None:
    ring = Ring(10_000)
    cuts: list[int] = []
    stored = stored_at_cut = 0
    for step in script:
        if isinstance(step, Write):
            ring.write(ramp(ring.written, step.samples), wait=False)
            stored += step.samples
        elif isinstance(step, Cut):
            if not cuts or stored > stored_at_cut:  # cuts without a sample between them are one gap
                cuts.append(ring.written)
            stored_at_cut = stored
            ring.cut(ring.written + step.length, "gap")
    seen = []
    while piece := ring.read(1_000):
        if isinstance(piece, Gap):
            seen.append(piece.first_sample)
    assert seen == cuts


@settings(deadline=None, max_examples=20)
@given(
    capacity=st.integers(1, 300),
    counts=st.lists(st.integers(1, 700), min_size=1, max_size=40),
    at_most=st.integers(1, 400),
    wait=st.booleans(),
)
def test_two_threads(capacity: int, counts: list[int], at_most: int, wait: bool) -> None:
    ring = Ring(capacity)

    def write() -> None:
        for number, count in enumerate(counts):
            if number % 5 == 4:
                ring.cut(ring.written + number, "gap")
            assert ring.write(ramp(ring.written, count), wait=wait)
        ring.close("done")

    writer = threading.Thread(target=write)
    writer.start()
    pieces: list[Stretch | Gap] = []
    while True:
        told = ring.wait(ring.read_index + 1, timeout_s=20.0)
        assert told != "timeout"
        if piece := ring.read(at_most):
            pieces.append(piece)
        elif told == "closed":
            break
    writer.join(20.0)
    assert not writer.is_alive()
    check_account(pieces, set(range(ring.written)), ring.written)
    if wait:
        assert ring.overruns == 0
        stored = sum(len(piece.samples) for piece in pieces if isinstance(piece, Stretch))
        assert stored == sum(counts)


def test_what_was_never_written_is_never_read() -> None:
    ring = Ring(8)
    ring.write(ramp(0, 3), wait=False)
    piece = ring.read(8)
    assert isinstance(piece, Stretch)
    assert not np.isnan(piece.samples).any()
    assert ring.read(8) is None


def test_a_stretch_is_a_copy() -> None:
    ring = Ring(4)
    ring.write(ramp(0, 4), wait=False)
    piece = ring.read(4)
    assert isinstance(piece, Stretch)
    ring.write(ramp(4, 4), wait=False)
    np.testing.assert_array_equal(piece.samples, ramp(0, 4))


def test_the_reader_of_an_overrun_is_told_which_samples_are_lost() -> None:
    ring = Ring(10)
    ring.write(ramp(0, 25), wait=False)
    assert ring.read(100) == Gap(0, 15, "overrun")
    piece = ring.read(100)
    assert isinstance(piece, Stretch)
    assert (piece.first_sample, len(piece.samples)) == (15, 10)
    assert ring.overruns == 1


def test_a_lost_device_is_told_before_it_is_back_and_unread_sound_survives_a_long_absence() -> None:
    ring = Ring(10)
    ring.write(ramp(0, 5), wait=False)
    ring.cut(5, "device_lost")
    assert ring.wait(1_000, timeout_s=0.0) == "ready"
    first = ring.read(100)
    assert isinstance(first, Stretch)
    assert len(first.samples) == 5
    assert ring.read(100) == Gap(5, 5, "device_lost")
    assert ring.wait(1_000, timeout_s=0.0) == "timeout"
    ring.cut(1_000_000, "device_lost")
    assert ring.read(100) == Gap(5, 1_000_000, "device_lost")


def test_cuts_without_end_take_no_memory() -> None:
    ring = Ring(10)
    for _ in range(1_000):
        ring.write(ramp(ring.written, 1), wait=False)
        ring.cut(ring.written + 3, "gap")
    assert len(ring._jumps) <= 11
    gap = ring.read(100)
    assert isinstance(gap, Gap)
    pieces: list[Stretch | Gap] = [gap]
    while piece := ring.read(100):
        pieces.append(piece)
    check_account(pieces, set(range(ring.written)), ring.written)


def test_close_wakes_a_waiting_writer_and_a_waiting_reader() -> None:
    full = Ring(4)
    full.write(ramp(0, 4), wait=True)
    results: list[object] = []
    writer = threading.Thread(target=lambda: results.append(full.write(ramp(4, 4), wait=True)))
    empty = Ring(4)
    reader = threading.Thread(target=lambda: results.append(empty.wait(1)))
    for thread in (writer, reader):
        thread.start()
    full.close("first")
    full.close("second")
    empty.close()
    for thread in (writer, reader):
        thread.join(10.0)
        assert not thread.is_alive()
    assert sorted(map(str, results)) == ["False", "closed"]
    assert full.close_reason == "first"
    piece = full.read(10)
    assert isinstance(piece, Stretch)
    assert len(piece.samples) == 4


def test_who_waits_for_more_than_fits_is_woken_by_a_full_ring() -> None:
    ring = Ring(10)
    ring.write(ramp(0, 9), wait=True)
    assert ring.wait(50, timeout_s=0.0) == "timeout"
    ring.write(ramp(9, 1), wait=True)
    assert ring.wait(50, timeout_s=0.0) == "ready"


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ring(0)
