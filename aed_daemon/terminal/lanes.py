"""Lanes: sounds, near misses and marks, drawn under the spectrogram where they are on its time axis."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from aed_daemon.terminal.ink import Ink
from aed_daemon.terminal.scene import Span

_STYLES = {"start": "bold green", "near miss": "yellow"}


def lanes(spans: Sequence[Span], end_column: int, width: int, count: int, ink: Ink) -> list[Text]:
    """Return `count` lines of `width` cells; of what would overlap, the later goes to the next lane.

    Marks stand over everything, in the first lane.

    Parameters
    ----------
    spans : sequence of Span
        What lies there.
    end_column : int
        The column after the last cell.
    width, count : int
        Cells and lines.
    ink : Ink
        What can be shown.
    """
    first = end_column - width
    drawn: list[list[tuple[int, str, str]]] = [[] for _ in range(count)]
    free = [0] * count
    for span in sorted(spans, key=lambda span: (span.first, span.name)):
        until = end_column if span.end is None else span.end
        if until <= first or span.tone == "mark":
            continue
        begin = max(0, span.first - first)
        text = _shape(span, max(1, min(until, end_column) - first - begin), ink)[: width - begin]
        lane = next((number for number in range(count) if free[number] <= begin), None)
        if lane is None or not text:
            continue
        drawn[lane].append((begin, text, _STYLES.get(span.tone, "")))
        free[lane] = begin + len(text) + 1
    lines = [_line(pieces, width) for pieces in drawn]
    for span in spans:
        if span.tone == "mark" and first <= span.first < end_column:
            lines[0] = _marked(lines[0], span.first - first, ink)
    return lines


def _shape(span: Span, cells: int, ink: Ink) -> str:
    """Return a name with a line for as long as the sound lasts; the name is never cut by the line's end."""
    if span.tone == "near miss":
        return f"{'┄' if ink.unicode else '~'}{span.name}?"
    dash = "━" if ink.unicode else "="
    return f"{dash}{span.name}{dash * max(0, cells - len(span.name) - 1)}"


def _line(pieces: Sequence[tuple[int, str, str]], width: int) -> Text:
    line = Text()
    for begin, text, style in pieces:
        line.append(" " * (begin - len(line))).append(text, style)
    return line.append(" " * (width - len(line)))


def _marked(line: Text, at: int, ink: Ink) -> Text:
    mark = ("▲" if ink.unicode else "^", "bold magenta")
    return Text.assemble(line[:at], mark, line[at + 1 :])
