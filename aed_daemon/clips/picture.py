"""The log-mel of a clip as a PNG: what the network saw, with the onset and the offset marked."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

MAX_COLUMNS = 1_200
BAND_PIXELS = 3
MOST_BYTES = 512 << 10
"""More than a picture of 64 bands takes, even where it cannot be compressed."""

RANGE_LN = 8.0
"""Natural logarithm under the loudest that is still told from nothing: 70 dB."""

_ANCHORS = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141),
    (39, 173, 129), (92, 200, 99), (170, 220, 50), (253, 231, 37),
)  # fmt: skip
"""Viridis at every eighth. Source: matplotlib's map of that name, by S. van der Walt and N. Smith, CC0."""

_SHADES = 254
_WHITE, _BLACK = 254, 255
_DASH_PIXELS = 6


def palette() -> NDArray[np.uint8]:
    """Return the colours, uint8 (256, 3): dark to bright, then white and black."""
    at = np.linspace(0, len(_ANCHORS) - 1, _SHADES)
    known = np.arange(len(_ANCHORS))
    shades = [np.interp(at, known, [anchor[part] for anchor in _ANCHORS]) for part in range(3)]
    return np.vstack([np.rint(np.stack(shades, axis=1)), [[255] * 3, [0] * 3]]).astype(np.uint8)


def spectrogram_png(rows: NDArray[np.float32], onset: float, offset: float | None) -> bytes:
    """Return a PNG, time to the right and pitch upwards.

    Parameters
    ----------
    rows : ndarray, float32 (t, n_mels)
        Log-mel, natural logarithm; each row a column of the picture, the loudest of several where
        there are more than `MAX_COLUMNS`.
    onset, offset : float
        Rows at which the sound begins and ends: a whole line and a dashed one. None, or what lies
        outside: no line.
    """
    per_column = max(1, -(-len(rows) // MAX_COLUMNS))
    starts = np.arange(0, len(rows), per_column)
    columns = np.maximum.reduceat(rows, starts, axis=0) if len(rows) else np.zeros((1, rows.shape[1]))
    top = float(columns.max())
    shade = np.clip((columns - top) / RANGE_LN + 1.0, 0.0, 1.0) * (_SHADES - 1)
    image = np.repeat(np.rint(shade).astype(np.uint8).T[::-1], BAND_PIXELS, axis=0)
    height = image.shape[0]
    everywhere = np.ones(height, bool)
    _mark(image, onset / per_column, everywhere)
    if offset is not None:
        _mark(image, offset / per_column, np.arange(height) // _DASH_PIXELS % 2 == 0)
    return _png(np.ascontiguousarray(image))


def _mark(image: NDArray[np.uint8], column: float, where: NDArray[np.bool_]) -> None:
    """Draw a line, white with black on its right, so that it shows on every colour."""
    if 0 <= column < image.shape[1]:
        at = int(column)
        for colour, place in ((_WHITE, at), (_BLACK, at + 1)):
            image[where, place : place + 1] = colour


def _png(image: NDArray[np.uint8]) -> bytes:
    """Return indices into `palette`, uint8 (height, width), as a file.

    Source: Portable Network Graphics (W3C), sections 5 and 11; colour type 3, filter 0.
    """
    height, width = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    lines = np.hstack([np.zeros((height, 1), np.uint8), image]).tobytes()
    parts = (
        (b"IHDR", header),
        (b"PLTE", palette().tobytes()),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
