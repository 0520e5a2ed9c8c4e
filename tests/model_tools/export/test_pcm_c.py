"""The queue between the microphone's interrupt and the main loop, against what it promises."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_tools.export.toolchain import host_library
from tests.model_tools.export.compilers import need_host

CSRC = Path(__file__).parents[3] / "model_tools" / "export" / "csrc"
CAPACITY, BLOCK = 512, 160
EMPTY, TAKEN, GAP, GO_ON = range(4)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need_host()
    folder = tmp_path_factory.mktemp("pcm")
    (folder / "aed_config.h").write_text(f"#define AED_PCM_SAMPLES {CAPACITY}\n")
    made = host_library([CSRC / "aed_pcm.c"], folder / "pcm.so", includes=[CSRC, folder])
    found = ctypes.CDLL(str(made))
    found.aed_pcm_push.restype = ctypes.c_bool
    found.aed_pcm_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return found


class Queue:
    """A queue in C; samples are numbered, modulo 2^15, as they come."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._state = ctypes.create_string_buffer(2 * CAPACITY + 256)
        self._block = (ctypes.c_int16 * BLOCK)()
        library.aed_pcm_init(self._state)
        self.came = 0

    def push(self, count: int) -> bool:
        samples = (np.arange(self.came, self.came + count) % 32_768).astype(np.int16)
        self.came += count
        return bool(self._library.aed_pcm_push(self._state, samples.ctypes.data, count))

    def take(self) -> tuple[int, list[int], int]:
        number = ctypes.c_uint32()
        state = self._library.aed_pcm_take(self._state, self._block, ctypes.byref(number))
        return state, list(self._block), number.value


def test_blocks_come_out_as_they_went_in(library: ctypes.CDLL) -> None:
    queue = Queue(library)
    for _ in range(7):
        assert queue.push(45)
    assert queue.take()[:2] == (TAKEN, list(range(160)))
    assert queue.take()[0] == EMPTY
    assert queue.push(5)
    assert queue.take()[:2] == (TAKEN, list(range(160, 320)))


def test_after_a_gap_it_goes_on_at_a_whole_block(library: ctypes.CDLL) -> None:
    queue = Queue(library)
    assert queue.push(500)
    assert not queue.push(100)
    assert not queue.push(50)
    assert [queue.take()[0] for _ in range(5)] == [TAKEN, TAKEN, TAKEN, GAP, EMPTY]
    assert queue.push(300)
    state, _, number = queue.take()
    assert (state, number) == (GO_ON, 5)
    assert queue.take()[:2] == (EMPTY, queue.take()[1])
    assert queue.push(10)
    assert queue.take()[:2] == (TAKEN, list(range(800, 960)))


def test_a_gap_in_a_gap_is_one(library: ctypes.CDLL) -> None:
    queue = Queue(library)
    assert not queue.push(600)
    assert queue.take()[0] == GAP
    assert not queue.push(600)
    assert queue.take()[0] == EMPTY
    assert queue.push(400)
    state, _, number = queue.take()
    assert (state, number) == (GO_ON, 8)
    assert queue.take()[:2] == (TAKEN, list(range(1_280, 1_440)))


@settings(deadline=None, max_examples=200)
@given(steps=st.lists(st.integers(-3, 700), min_size=1, max_size=80))
def test_nothing_is_spliced_and_nothing_is_told_twice(library: ctypes.CDLL, steps: list[int]) -> None:
    """Pushes (above 0) and takes (the others) in any order; then it must go on by itself."""
    queue = Queue(library)
    pushes: list[bool] = []
    expected, in_gap = 0, False

    def take() -> None:
        nonlocal expected, in_gap
        state, block, number = queue.take()
        if state == TAKEN:
            assert not in_gap
            assert block == [(expected + i) % 32_768 for i in range(BLOCK)]
            expected += BLOCK
        elif state == GAP:
            assert not in_gap
            assert False in pushes
            in_gap = True
        elif state == GO_ON:
            assert in_gap
            assert number * BLOCK >= expected
            expected, in_gap = number * BLOCK, False

    for step in steps:
        if step > 0:
            pushes.append(queue.push(step))
        else:
            take()
    for _ in range(12):
        pushes.append(queue.push(BLOCK))
        for _ in range(6):
            take()
    assert not in_gap
    assert queue.came - expected < 2 * BLOCK


@pytest.mark.parametrize("counters_near_their_end", [1, 160, 4_096])
def test_counters_may_begin_anew(library: ctypes.CDLL, counters_near_their_end: int) -> None:
    queue = Queue(library)
    words = ctypes.cast(ctypes.addressof(queue._state) + 2 * CAPACITY, ctypes.POINTER(ctypes.c_uint32))
    before = 2**32 - counters_near_their_end
    marks = [i for i in range(16) if words[i] == 0]
    assert queue.push(1)
    written = next(i for i in marks if words[i] == 1)
    for _ in range(2):
        queue.push(BLOCK)
    assert queue.take()[0] == TAKEN
    read = next(i for i in marks if words[i] == BLOCK and i != written)
    shift = before - words[read]
    # Both lie at the same place in the ring as before, a multiple of its size later.
    shift -= shift % CAPACITY
    words[written] += shift
    words[read] += shift
    expected = BLOCK
    for _ in range(60):
        assert queue.push(BLOCK)
        state, block, _ = queue.take()
        assert (state, block) == (TAKEN, list(range(expected, expected + BLOCK)))
        expected += BLOCK
    assert words[written] < 2**31
