"""The spectrogram: a PNG that other programs can read, its colours in order, onset and offset in place."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.clips.picture import BAND_PIXELS, MAX_COLUMNS, palette, spectrogram_png

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def decode(png: bytes) -> NDArray[np.uint8]:
    """Return the colours, uint8 (height, width, 3); every length and checksum is checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 3, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return np.asarray(np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[lines[:, 1:]])


def ramp(frames: int = 100, bands: int = 64) -> NDArray[np.float32]:
    return np.asarray(np.add.outer(np.arange(frames), np.arange(bands)) / 20.0, np.float32)


def colours(pixels: NDArray[np.uint8]) -> set[tuple[int, ...]]:
    return {tuple(int(part) for part in pixel) for pixel in pixels.reshape(-1, 3)}


LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue. Source: ITU-R BT.601."""


def test_pitch_goes_up_and_time_to_the_right() -> None:
    image = decode(spectrogram_png(ramp(), -5.0, None)) @ LUMINANCE
    assert image.shape == (64 * BAND_PIXELS, 100)
    assert image[0, -1] == image.max(), "the highest band of the last row is the loudest"
    assert image[-1, 0] < image[0, 0] < image[0, -1]
    assert (np.diff(image[0]) > -0.5).all(), "louder is brighter, but for rounding"


def test_the_onset_is_a_whole_line_and_the_offset_a_dashed_one() -> None:
    image = decode(spectrogram_png(ramp(), 30.0, 70.0))
    assert colours(image[:, 30]) == {WHITE}
    assert colours(image[:, 31]) == {BLACK}
    assert WHITE in colours(image[:, 70])
    assert len(colours(image[:, 70])) > 2, "dashed: the sound shows through"
    assert not colours(np.delete(image, [30, 31, 70, 71], axis=1)) & {WHITE, BLACK}


@pytest.mark.parametrize(("onset", "offset"), [(-1.0, 1_000.0), (99.9, None), (0.0, 0.0)])
def test_lines_that_lie_outside_are_left_out(onset: float, offset: float | None) -> None:
    image = decode(spectrogram_png(ramp(), onset, offset))
    assert (WHITE in colours(image)) == (0 <= onset < 100)


def test_a_long_clip_is_drawn_narrower_and_a_click_in_it_still_shows() -> None:
    rows = np.zeros((30_000, 64), np.float32)
    rows[12_345] = 10.0
    image = decode(spectrogram_png(rows, 12_000.0, None))
    assert image.shape[1] <= MAX_COLUMNS
    per_column = -(-30_000 // MAX_COLUMNS)
    bright = tuple(int(part) for part in palette()[253])
    assert colours(image[:, 12_345 // per_column]) == {bright}
    assert colours(image[:, 12_000 // per_column]) == {WHITE}


def test_too_short_for_a_frame_is_a_picture_all_the_same() -> None:
    assert decode(spectrogram_png(np.empty((0, 64), np.float32), 0.0, None)).shape[1] == 1


def test_another_program_reads_the_same(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is missing: apt install ffmpeg")
    path = tmp_path / "clip.png"
    path.write_bytes(spectrogram_png(ramp(), 30.0, 70.0))
    command = ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    expected = decode(path.read_bytes())
    assert np.array_equal(np.frombuffer(raw, np.uint8).reshape(expected.shape), expected)
