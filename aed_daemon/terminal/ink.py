"""Ink: which characters and colours a terminal can show, and the colours of the spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console
from rich.style import Style

_STOPS = (
    (0, 0, 8),
    (42, 12, 84),
    (120, 28, 109),
    (188, 55, 84),
    (237, 105, 37),
    (251, 180, 40),
    (252, 255, 200),
)
"""From quiet to loud: dark to light in even steps, so that it reads without colour vision, too."""

STEPS = 24
"""Colours of the spectrogram: few enough that neighbours are often the same and cost nothing to send."""


@dataclass(frozen=True)
class Ink:
    """What a terminal can show.

    Attributes
    ----------
    colours : bool
        Whether it has 256 colours or more, and the user wants colours.
    unicode : bool
        Whether its encoding has block elements.
    """

    colours: bool
    unicode: bool

    @classmethod
    def of(cls, console: Console) -> Ink:
        """Return what a console can show; NO_COLOR is respected."""
        many = console.color_system in ("256", "truecolor") and not console.no_color
        return cls(many, console.encoding.lower().startswith("utf"))

    @property
    def shades(self) -> str:
        """Characters from empty to full, for where there are no colours."""
        return " ░▒▓█" if self.unicode else " .:-=+*#@"

    @property
    def eighths(self) -> str:
        """Characters that fill a cell from the left, in even steps, the last one wholly."""
        return "▏▎▍▌▋▊▉█" if self.unicode else "#"


@cache
def colour(step: int) -> Color:
    """Return a colour of the spectrogram, 0 to STEPS - 1."""
    place = step / (STEPS - 1) * (len(_STOPS) - 1)
    low = min(int(place), len(_STOPS) - 2)
    part = place - low
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_STOPS[low], _STOPS[low + 1], strict=True))
    return Color.from_rgb(red, green, blue)


@cache
def half_block(upper: int, lower: int) -> Style:
    """Return the style in which an upper half block shows two steps, one over the other."""
    return Style(color=colour(upper), bgcolor=colour(lower))


def steps_of(
    levels_db: NDArray[np.float32], quiet_db: float, span_db: float, count: int
) -> NDArray[np.int64]:
    """Return levels as steps from 0 to count - 1; what was not heard (-inf) is 0."""
    place = (np.maximum(levels_db, quiet_db) - quiet_db) / span_db * count
    return np.clip(place, 0, count - 1).astype(np.int64)
