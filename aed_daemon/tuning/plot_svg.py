"""The trade-off of every class as a picture: one SVG, or a page of HTML around it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

from aed_daemon.errors import AedError
from aed_daemon.tuning.choose import DAY_S, Proposal

_WIDTH, _HEIGHT = 420, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 44, 26, 34
_ACROSS = 2

_STYLE = """
text{font:11px sans-serif;fill:#222}.title{font-weight:bold;font-size:13px}.axis{stroke:#888}
.grid{stroke:#8884;stroke-width:.5}.false{fill:none;stroke:#b3261e;stroke-width:1.8}
.kept{fill:none;stroke:#1a5fb4;stroke-width:1.8;stroke-dasharray:5 3}.now{stroke:#777;stroke-dasharray:2 2}
.new{stroke:#1e7d32;stroke-width:1.6}.paper{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#ddd}.paper{fill:#1b1b1b}.false{stroke:#ff8a80}
.kept{stroke:#8ab4f8}.new{stroke:#81c995}}
"""


_LEGEND = (
    "red: false alarms a day, everything that was not called right; blue, dashed: share of the sounds "
    "called right or missed that are found; grey: now; green: proposed"
)


def write(path: Path, proposals: Sequence[Proposal], title: str) -> None:
    """Write the picture; HTML where the name ends so, else SVG.

    Raises
    ------
    AedError
        It cannot be written.
    """
    picture = svg(proposals, title)
    if path.suffix.lower() in (".html", ".htm"):
        picture = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
            f'content="light dark"></head>\n<body>\n{picture}</body></html>\n'
        )
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(picture, encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105
    except OSError as error:
        raise AedError(
            "the plot cannot be written", where=str(path), got=error.strerror or str(error)
        ) from None


def svg(proposals: Sequence[Proposal], title: str) -> str:
    """Return the picture: red is false alarms a day, blue the share of true sounds kept."""
    rows = ceil(len(proposals) / _ACROSS)
    width, height = _ACROSS * _WIDTH, rows * _HEIGHT + 44
    name = escape(title, quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f' role="img" aria-label="{name}"><style>{_STYLE}</style>',
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text x="12" y="18" class="title">{escape(title)}</text>',
        f'<text x="12" y="34">{_LEGEND}</text>',
    ]
    for position, proposal in enumerate(proposals):
        x, y = position % _ACROSS * _WIDTH, position // _ACROSS * _HEIGHT + 44
        parts += [f'<g transform="translate({x},{y})">', *_panel(proposal), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(proposal: Proposal) -> Iterable[str]:
    evidence = proposal.evidence
    scale, steps = evidence.scale, range(evidence.off_steps, 256)
    rates = [count / evidence.heard_s * DAY_S for count in evidence.possibly_false().tolist()]
    positive = [rates[step] for step in steps if rates[step] > 0] or [1.0]
    low, high = floor(log10(min(positive)) - 0.01), ceil(log10(max(positive)) + 0.01)
    low_score = evidence.off_steps * scale

    def x(score: float) -> float:
        return _LEFT + (score - low_score) / max(1e-9, 1 - low_score) * (_WIDTH - _LEFT - _RIGHT)

    def y(share: float) -> float:
        return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)

    yield f'<text x="{_LEFT}" y="16" class="title">{escape(evidence.class_)}</text>'
    for decade in range(low, high + 1):
        at = y((decade - low) / (high - low))
        yield f'<line class="grid" x1="{_LEFT}" y1="{at:.1f}" x2="{x(1):.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{_LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>'
    for tenth in range(ceil(low_score * 10), 11):
        at = x(tenth / 10)
        yield f'<text x="{at:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{tenth / 10:.1f}</text>'
    yield f'<line class="axis" x1="{_LEFT}" y1="{y(0)}" x2="{x(1):.1f}" y2="{y(0)}"/>'
    known = [(x(s * scale), (log10(rates[s]) - low) / (high - low)) for s in steps if rates[s] > 0]
    yield _line("false", [(at, y(share)) for at, share in known])
    kept = evidence.kept()
    if kept is not None:
        yield _line("kept", [(x(s * scale), y(float(kept[s]))) for s in steps])
        for share in (0.0, 0.5, 1.0):
            yield f'<text x="{x(1) + 5:.1f}" y="{y(share) + 4:.1f}">{share:.0%}</text>'
    for name, threshold in (("now", evidence.on_steps), ("new", proposal.steps)):
        if threshold is not None:
            at = x(threshold * scale)
            yield f'<line class="{name}" x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{y(0)}"/>'


def _line(name: str, points: Sequence[tuple[float, float]]) -> str:
    """Return a line of steps: what holds at a threshold holds down to the next lower one."""
    path, before = [], None
    for at, height in points:
        if before is not None and before != height:
            path.append(f"{at:.1f},{before:.1f}")
        path.append(f"{at:.1f},{height:.1f}")
        before = height
    return f'<polyline class="{name}" points="{" ".join(path)}"/>'
