"""Clipping is the device's: what gain and filters make of it afterwards is beside the point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.clipping import ClipMarks, spans_of
from aed_daemon.audio.reader import CaptureReader
from aed_daemon.audio.session import Conditioning
from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.detector import Detector
from aed_daemon.inference import load_classifier
from aed_daemon.level import LevelStream
from aed_daemon.pipeline import Pipeline
from tests.audio.scripted import ScriptedSource, Step
from tests.test_detector import EAGER
from tests.test_pipeline import Out, reporter


@given(
    marked=st.sets(st.integers(0, 300)),
    cuts=st.lists(st.integers(0, 320), max_size=12),
    added=st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_every_mark_is_taken_once_and_in_its_piece(
    marked: set[int], cuts: list[int], added: list[int]
) -> None:
    marks, taken, at = ClipMarks(), set[int](), 0
    numbers = np.array(sorted(marked), np.int64)
    for first in range(0, 320, 320 // len(added) or 1):
        end = first + (320 // len(added) or 1)
        for span in spans_of(numbers[(numbers >= first) & (numbers < end)]):
            marks.add(span)
    for cut in [*sorted(cuts), 320]:
        for first, end in marks.take(at, cut):
            assert at <= first < end <= cut
            assert not taken & set(range(first, end))
            taken |= set(range(first, end))
        at = cut
    assert taken == marked


def test_what_was_not_taken_in_time_is_left_out() -> None:
    marks = ClipMarks()
    for span in ((10, 20), (100, 120), (119, 130)):
        marks.add(span)
    assert marks.take(110, 125) == [(110, 125)]
    assert marks.take(125, 200) == [(125, 130)]
    assert marks.take(0, 1_000) == []


@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_frames_are_marked_however_the_samples_come(sizes: list[int]) -> None:
    total, spans = sum(sizes), [(3, 4), (150, 330), (1_000, 1_001)]
    level, at, flags = LevelStream(160), 0, list[bool]()
    for size in sizes:
        part = [(max(a, at), min(b, at + size)) for a, b in spans if a < at + size and b > at]
        flags += level.push(np.zeros(size, np.float32), part).clipped.tolist()
        at += size
    expected = {first // 160 for first in (3, 150, 160, 320, 1_000) if first < total}
    assert [frame for frame, flag in enumerate(flags) if flag] == sorted(
        frame for frame in expected if frame < len(flags)
    )


def clipped_hops(samples: NDArray[np.float32], rate: int, how: Conditioning) -> list[bool]:
    """Return what a source's levels say of clipping, hop by hop, through reader and pipeline."""
    steps: list[Step] = [
        Block(at, samples[at : at + 960], False, at / rate) for at in range(0, len(samples), 960)
    ]
    source = ScriptedSource(steps, form=PcmFormat(rate, samples.shape[1]), live=False)
    reader = CaptureReader(lambda: source, rate_hz=16_000, conditioning=how)
    out = Out()
    detector = Detector(load_classifier(), EAGER, how.gain_db)
    pipeline = Pipeline("porch", reader.ring, detector, reporter(), out, clips=reader.clips)
    reader.start()
    pipeline.run()
    return [level.clipped for level in out.levels]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 20.0])
def test_one_clipped_sample_shows_at_any_rate_and_gain(rate: int, gain_db: float) -> None:
    """At 48 kHz it is a fifth of full scale after the filter."""
    samples = np.zeros((3 * rate, 2), np.float32)
    samples[round(1.5 * rate), 1] = -1.0
    for channel, count in (("mix", 1), (1, 1), (0, 0)):
        how = Conditioning(channel=channel, gain_db=gain_db)  # type: ignore[arg-type]
        found = clipped_hops(samples, rate, how)
        assert sum(found) == count
        if count:
            at_sample = (95 * 160 + 456) + found.index(True) * 3_840
            assert at_sample - 3_840 <= 24_000 < at_sample + 160


def test_what_only_the_filter_drives_over_full_scale_was_not_clipped() -> None:
    square = np.where(np.arange(3 * 48_000) % 400 < 200, 0.97, -0.97).astype(np.float32)[:, None]
    assert not any(clipped_hops(square, 48_000, Conditioning(dc_block_hz=0.0)))
