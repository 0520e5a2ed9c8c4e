"""Bars: a value between its ends as a row of cells, with marks on it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text

from aed_daemon.terminal.ink import Ink


def bar(value: float, width: int, style: str, ink: Ink, marks: Mapping[str, float] | None = None) -> Text:
    """Return a bar.

    Parameters
    ----------
    value : float
        From 0 to 1; what lies outside is cut.
    width : int
        Cells.
    style : str
        Of what is filled.
    ink : Ink
        What can be shown.
    marks : mapping of str to float, optional
        Characters to put on it, each where a value is.
    """
    eighths = ink.eighths
    filled = round(min(1.0, max(0.0, value)) * width * len(eighths))
    whole, part = divmod(filled, len(eighths))
    text = eighths[-1] * whole + (eighths[part - 1] if part else "")
    track = "·" if ink.unicode else "."
    line = Text().append(text, style)
    line.append(track * (width - len(text)), "dim")
    for character, place in (marks or {}).items():
        at = min(width - 1, max(0, int(place * width)))
        on_fill = at < whole
        plain = line.plain
        marked = Text(plain[:at] + character + plain[at + 1 :])
        for span in line.spans:
            marked.stylize(span.style, span.start, span.end)
        marked.stylize(Style(bold=True, reverse=on_fill, dim=False), at, at + 1)
        line = marked
    return line
