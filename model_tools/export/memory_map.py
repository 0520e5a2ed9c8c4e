"""Where the bytes of an export lie: regions of RAM and flash, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from model_tools.export.footprint import DMA_BYTES, STACK_BYTES, Flash
from model_tools.export.plan import Plan

_COLOURS = {
    "network": "#3b6fb6",
    "front end": "#4f9d69",
    "tracker": "#c98a2b",
    "audio": "#8a63b0",
    "stack": "#8c8c94",
    "queue and order of calls": "#8a63b0",
    "C library": "#8c8c94",
}
_WIDTH, _BAR_HEIGHT, _LINE = 760, 34, 19


class Region(NamedTuple):
    """Some bytes and what they are for."""

    name: str
    group: str
    bytes: int


def ram(plan: Plan, sizes: Mapping[str, int]) -> list[Region]:
    """Return the regions of RAM, of the whole system; `sizes` are those of the state's parts."""
    network = [Region(region.name, "network", region.bytes) for region in plan.memory if region.bytes]
    counters = sizes["network"] - sum(region.bytes for region in network)
    front_end, tracker = sizes["front_end"], sizes["tracker"]
    known = [
        *network,
        Region("counters and scores", "network", counters),
        Region("spectrum", "front end", sizes["spectrum"]),
        Region("last samples", "front end", front_end - sizes["spectrum"]),
        Region("rows that wait", "front end", sizes["rows"]),
        Region("history of levels", "tracker", sizes["history"]),
        Region("events that wait", "tracker", sizes["events"]),
        Region("classes and loud sound", "tracker", tracker - sizes["history"] - sizes["events"]),
        Region("levels that wait", "tracker", sizes["levels"]),
        Region("samples that wait", "audio", sizes["pcm"]),
    ]
    rest = sizes["state"] - sum(region.bytes for region in known)
    return [
        *known,
        Region("counters", "audio", rest),
        Region("DMA double buffer", "audio", DMA_BYTES),
        Region("stack, reserved", "stack", STACK_BYTES),
    ]


def flash(parts: Sequence[Flash]) -> list[Region]:
    """Return the regions of flash."""
    regions = []
    for part in parts:
        regions.append(Region(f"{part.name}: code", part.name, part.code))
        regions.append(Region(f"{part.name}: constants", part.name, part.constants))
    return [region for region in regions if region.bytes]


def total(regions: Sequence[Region]) -> int:
    """Return their bytes."""
    return sum(region.bytes for region in regions)


def table(regions: Sequence[Region]) -> str:
    """Return the regions as lines of text."""
    width = max(len(region.name) for region in regions)
    groups = max(len(region.group) for region in regions)
    lines = [f"{r.group:<{groups}}  {r.name:<{width}}  {r.bytes:>9,}" for r in regions]
    return "\n".join([*lines, f"{'':<{groups}}  {'total':<{width}}  {total(regions):>9,}"]) + "\n"


def picture(title: str, bars: Mapping[str, Sequence[Region]]) -> str:
    """Return an SVG: for each bar a strip to scale, and a line for each region below it."""
    parts, y = [f'<text x="20" y="34" class="title">{escape(title)}</text>'], 60
    for name, regions in bars.items():
        drawn, y = _bar(name, regions, y)
        parts += drawn
    style = (
        "text{font:13px system-ui,sans-serif;fill:#222}.title{font-size:17px;font-weight:600}"
        ".number{text-anchor:end;font-variant-numeric:tabular-nums}"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{y}" viewBox="0 0 800 {y}" role="img">'
    )
    body = "\n".join(parts)
    return f'{head}\n<style>{style}</style>\n<rect width="800" height="{y}" fill="#fff"/>\n{body}\n</svg>\n'


def _bar(name: str, regions: Sequence[Region], y: int) -> tuple[list[str], int]:
    whole = total(regions)
    parts = [f'<text x="20" y="{y + 14}">{escape(name)}: {whole:,} bytes</text>']
    y += 24
    before = 0
    for region in regions:
        x, end = (20 + _WIDTH * at / whole for at in (before, before + region.bytes))
        told = escape(f"{region.name}: {region.bytes:,}")
        parts.append(
            f'<rect x="{x:.2f}" y="{y}" width="{end - x:.2f}" height="{_BAR_HEIGHT}" '
            f'fill="{_COLOURS[region.group]}" stroke="#fff" stroke-width="0.7"><title>{told}</title></rect>'
        )
        before += region.bytes
    y += _BAR_HEIGHT + 22
    for region in regions:
        parts += [
            f'<rect x="20" y="{y - 10}" width="11" height="11" fill="{_COLOURS[region.group]}"/>',
            f'<text x="40" y="{y}">{escape(region.group)}</text>',
            f'<text x="230" y="{y}">{escape(region.name)}</text>',
            f'<text x="640" y="{y}" class="number">{region.bytes:,}</text>',
            f'<text x="720" y="{y}" class="number">{region.bytes / whole:.1%}</text>',
        ]
        y += _LINE
    return parts, y + 24
