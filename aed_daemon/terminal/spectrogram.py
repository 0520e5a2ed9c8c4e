"""The spectrogram as rows of characters: half blocks in colour, two pixels a cell, or shades without."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from aed_daemon.features import hz_to_mel, mel_to_hz
from aed_daemon.spec import FeatureSpec
from aed_daemon.terminal.ink import STEPS, Ink, half_block, steps_of

_SPAN_DB = 55.0
_QUIET_QUANTILE = 0.3
_QUIET_DB = 6.0
"""So far over what is mostly there, it begins to be seen: hiss stays dark, and costs little to send."""

AXIS = 6
"""Cells of the frequency axis, left of it."""


def draw(levels_db: NDArray[np.float32], rows: int, spec: FeatureSpec, ink: Ink) -> list[list[Segment]]:
    """Return the rows of a spectrogram, high frequencies first, with the frequency axis.

    Parameters
    ----------
    levels_db : ndarray, float32 (t, n_mels)
        One column a cell; -inf where nothing was heard.
    rows : int
        Rows of cells.
    spec : FeatureSpec
        The bands.
    ink : Ink
        What can be shown.
    """
    heard = levels_db[np.isfinite(levels_db)]
    quiet_db = float(np.quantile(heard, _QUIET_QUANTILE)) + _QUIET_DB if heard.size else 0.0
    dim = Style(dim=True)
    pixels = _bands(levels_db, rows * 2 if ink.colours else rows)
    if ink.colours:
        steps = steps_of(pixels, quiet_db, _SPAN_DB, STEPS)
        cells = [_coloured(steps[2 * row], steps[2 * row + 1], ink) for row in range(rows)]
    else:
        shades = ink.shades
        steps = steps_of(pixels, quiet_db, _SPAN_DB, len(shades))
        cells = [[Segment("".join(shades[step] for step in row))] for row in steps]
    labels = _labels(spec, rows)
    return [[Segment(f"{labels.get(row, ''):>{AXIS - 1}} ", dim), *cells[row]] for row in range(rows)]


def _bands(levels_db: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the loudest of the bands that fall to each of `count` pixels, (count, t), highest first."""
    n_mels = levels_db.shape[1]
    edges = np.linspace(0, n_mels, count + 1)
    picked = [
        levels_db[:, int(low) : max(int(low) + 1, int(np.ceil(high)))].max(axis=1)
        for low, high in pairwise(edges)
    ]
    return np.stack(picked[::-1])


def _coloured(upper: NDArray[np.int64], lower: NDArray[np.int64], ink: Ink) -> list[Segment]:
    # Without half blocks the colour of the louder half fills the cell.
    character = "▀" if ink.unicode else " "
    if not ink.unicode:
        upper = lower = np.maximum(upper, lower)
    pairs = zip(upper.tolist(), lower.tolist(), strict=True)
    return [Segment(character * len(list(run)), half_block(*pair)) for pair, run in groupby(pairs)]


def _labels(spec: FeatureSpec, rows: int) -> dict[int, str]:
    """Return what stands at the highest, the middle and the lowest row of the frequency axis."""
    if rows < 3:
        return {}
    middle_hz = float(mel_to_hz(hz_to_mel(np.array([spec.fmin_hz, spec.fmax_hz])).mean()))
    return {0: _short(spec.fmax_hz), rows // 2: _short(middle_hz), rows - 1: _short(spec.fmin_hz)}


def _short(hz: float) -> str:
    return f"{hz / 1_000:.1f}k" if hz >= 1_000 else f"{hz:.0f}"
