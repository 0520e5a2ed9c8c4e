"""The DC blocker in C: the integers that the known answers are made with, and the daemon's samples."""

from __future__ import annotations

import ctypes
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.condition import DC_BLOCK_HZ, DcBlocker
from model_tools.export.dc_blocker import SAMPLE_BITS, FixedDcBlocker, share
from model_tools.export.toolchain import host_library
from tests.model_tools.export.compilers import need_host

CSRC = Path(__file__).parents[3] / "model_tools" / "export" / "csrc"
RATE, BLOCK = 16_000, 160
Pcm = NDArray[np.int16]
Samples = NDArray[np.int32]
ONE = 1 << SAMPLE_BITS


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need_host()
    folder = tmp_path_factory.mktemp("dc")
    (folder / "aed_config.h").write_text(
        f"#define AED_PCM_SAMPLES 512\n#define AED_DC_SHARE {share(RATE)}\n", encoding="utf-8"
    )
    made = host_library([CSRC / "aed_dc.c"], folder / "dc.so", includes=[CSRC, folder], sanitize=True)
    return ctypes.CDLL(str(made))


def in_c(library: ctypes.CDLL, pcm: Pcm) -> Samples:
    """Return whole blocks as the C makes them."""
    state = (ctypes.c_uint64 * 4)(*[0xDEADBEEF] * 4)
    library.aed_dc_reset(state)
    out = np.empty(len(pcm), np.int32)
    for begin in range(0, len(pcm), BLOCK):
        places = (part[begin:].ctypes.data_as(ctypes.c_void_p) for part in (pcm, out))
        library.aed_dc_push(state, *places)
    return out


def noise(offset: float, amplitude: float, seconds: float = 2.0) -> Pcm:
    rng = np.random.default_rng(7)
    samples: NDArray[np.float64] = offset + amplitude * rng.standard_normal(int(seconds * RATE))
    whole: Pcm = np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)
    return whole


SOUNDS = {
    "silence": np.zeros(1_600, np.int16),
    "an offset": np.full(8_000, 12_345, np.int16),
    "the largest": np.full(8_000, -32_768, np.int16),
    "from end to end": np.repeat(np.array([-32_768, 32_767] * 5, np.int16), 1_600),
    "square": np.tile(np.repeat(np.array([-32_768, 32_767], np.int16), 40), 100),
    "one step": np.tile(np.array([0, 1], np.int16), 4_000),
    "quiet noise": noise(0.0, 2.0),
    "noise on an offset": noise(-2_000.0, 500.0),
    "loud noise": noise(9_000.0, 20_000.0),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_c_gives_the_integers_of_the_known_answers(library: ctypes.CDLL, name: str) -> None:
    assert np.array_equal(in_c(library, SOUNDS[name]), FixedDcBlocker(RATE).push(SOUNDS[name]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-32_768, 32_767), min_size=BLOCK, max_size=BLOCK), st.integers(1, 4))
def test_any_samples(library: ctypes.CDLL, samples: list[int], times: int) -> None:
    pcm = np.tile(np.array(samples, np.int16), times)
    assert np.array_equal(in_c(library, pcm), FixedDcBlocker(RATE).push(pcm))


@pytest.mark.parametrize("name", SOUNDS)
def test_it_is_the_daemons(name: str) -> None:
    pcm = SOUNDS[name]
    daemons = DcBlocker(RATE, DC_BLOCK_HZ).push(pcm.astype(np.float32)).astype(np.float64)
    found = FixedDcBlocker(RATE).push(pcm) / ONE
    # Steps of 16 bits: half a float32's spacing of numbers up to 65,535, and half one here.
    assert np.abs(found - daemons).max() <= 2.0**-9 + 2.0**-15


def test_an_offset_is_gone_and_the_sound_is_left() -> None:
    at = np.arange(2 * RATE)
    tone = np.rint(8_000 * np.sin(2 * np.pi * 440 * at / RATE)).astype(np.int16)
    found = FixedDcBlocker(RATE).push(tone + np.int16(3_000))[RATE:] / ONE
    assert abs(found.mean()) < 1.0
    assert found.std() == pytest.approx(8_000 / np.sqrt(2), rel=5e-3)


def test_where_a_block_ends_makes_no_difference() -> None:
    whole, parts = FixedDcBlocker(RATE), FixedDcBlocker(RATE)
    pcm = SOUNDS["noise on an offset"]
    tried = copy(parts).push(pcm[:77])
    joined = [parts.push(part) for part in np.split(pcm, [77, 78, 1_000])]
    assert np.array_equal(np.concatenate(joined), whole.push(pcm))
    assert np.array_equal(tried, joined[0])
