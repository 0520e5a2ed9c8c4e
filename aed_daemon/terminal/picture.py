"""Picture: a moment of a scene, laid out for the size of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from aed_daemon.manifest import ModelManifest
from aed_daemon.rules import ClassRule
from aed_daemon.terminal.bars import bar
from aed_daemon.terminal.ink import Ink
from aed_daemon.terminal.lanes import lanes
from aed_daemon.terminal.scene import Line, Moment, Tone
from aed_daemon.terminal.spectrogram import AXIS, draw

QUIETEST_DBFS = -90.0
STYLES: dict[Tone, str] = {
    "start": "bold green", "end": "cyan", "update": "", "near miss": "yellow", "mark": "bold magenta",
    "state": "bold red",
}  # fmt: skip
HELP = (
    "space, p   hold the picture; detection goes on",
    "m          mark this moment: a sound that it missed",
    "tab, n     the next source",
    "?, h       this help",
    "q          leave",
    "",
    "A bar is a score, | its threshold: green while the sound",
    "counts as heard, yellow near it. A near miss was near and",
    "started nothing; 'too short': it was over the threshold.",
)
_TOLD_CELLS, _SHORT_CELLS = 50, 40
_WIDE, _SIDE_BY_SIDE = 100, 76
"""Cells from which scores and events have place beside each other."""

_LEAST_ROWS = 4
_LEAST_SCORES = 5
_LANES = 2
_TOLD = 4
"""Lines of events where they have no place beside the scores."""

_NAME = 15


@dataclass(frozen=True)
class Picture:
    """What is on the screen.

    Attributes
    ----------
    moment : Moment
        The source that is looked at.
    lines : sequence of Line
        What happened, oldest first.
    manifest, rules
        The model and its classes.
    sources : sequence of str
        All sources.
    held : bool
        Whether the picture is held.
    help : bool
        Whether the keys are explained.
    keys : bool
        Whether there is a keyboard.
    """

    moment: Moment
    lines: Sequence[Line]
    manifest: ModelManifest
    rules: Sequence[ClassRule]
    sources: Sequence[str]
    held: bool = False
    help: bool = False
    keys: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.size.height
        ink = Ink.of(console)
        drawn: list[list[Segment]] = []

        def put(line: Text) -> None:
            line.truncate(width)
            drawn.append([part for part in line.render(console) if part.text])

        put(self._head())
        put(self._meter(width, ink))
        beside, wide = width >= _SIDE_BY_SIDE, width >= _WIDE
        told_cells = _TOLD_CELLS if wide else _SHORT_CELLS
        rows = self._rows_of_scores(height, beside)
        scores = self._scores(rows, width - told_cells if beside else width, ink)
        told = self._told(beside and not wide, rows if beside else max(0, min(_TOLD, height - rows - 3)))
        if beside:
            for left, right in zip(scores, told, strict=True):
                left.truncate(width - told_cells - 2, pad=True)
                put(left.append("  ").append_text(right))
        else:
            for line in (*scores, *told):
                put(line)
        left_over = height - len(drawn) - 1
        if left_over >= _LEAST_ROWS + _LANES:
            cells = width - AXIS
            levels = self.moment.columns[-cells:]
            drawn += draw(levels, left_over - _LANES, self.manifest.spec, ink)
            for lane in lanes(self.moment.spans, self.moment.end_column, len(levels), _LANES, ink):
                put(Text(" " * AXIS).append_text(lane))
        while len(drawn) < height - 1:
            drawn.append([])
        put(self._foot())
        for number, row in enumerate(drawn[:height]):
            if number:
                yield Segment.line()
            yield from row

    def _head(self) -> Text:
        moment = self.moment
        line = Text(moment.source, "bold")
        line.append(f"  {moment.state}", "green" if moment.online else "red")
        if len(self.sources) > 1:
            line.append(f"  source {self.sources.index(moment.source) + 1} of {len(self.sources)}", "dim")
        if moment.decision is not None and moment.decision.gated:
            line.append("  silence: the network rests", "dim")
        if self.held:
            line.append("  HELD: detection goes on", "bold yellow")
        return line

    def _meter(self, width: int, ink: Ink) -> Text:
        decision = self.moment.decision
        line = Text(f"{'level':{_NAME}}")
        if decision is None:
            return line
        level, floor, peak = decision.rms_cdb / 100, decision.floor_cdb / 100, self.moment.peak_cdb / 100
        words = f"{level:6.1f} dBFS  floor {floor:.1f}  peak {peak:.1f}"
        cells = max(8, width - _NAME - len(words) - 12)

        def place(dbfs: float) -> float:
            return 1.0 - dbfs / QUIETEST_DBFS

        style = "red" if decision.clipped else "green"
        marks = {"▽" if ink.unicode else "v": place(floor), "▏" if ink.unicode else "|": place(peak)}
        line.append_text(bar(place(level), cells, style, ink, marks))
        line.append(f" {words}")
        if decision.clipped:
            line.append("  CLIPPED", "bold red")
        return line

    def _rows_of_scores(self, height: int, beside: bool) -> int:
        """Return how many classes are shown: all where the spectrogram keeps a few rows."""
        if self.help:
            return max(1, min(len(HELP), height - 3))
        others = 3 + _LEAST_ROWS + _LANES + (0 if beside else _TOLD)
        return max(1, min(len(self.rules), max(height - others, _LEAST_SCORES), height - 3))

    def _scores(self, rows: int, width: int, ink: Ink) -> list[Text]:
        if self.help:
            return [Text(text) for text in (*HELP, *[""] * rows)][:rows]
        scale, zero = self.manifest.output.scale, self.manifest.output.zero_point
        decision, best = self.moment.decision, self.moment.best
        now = {
            rule.slug: 0 if decision is None else int(decision.scores[rule.index]) - zero
            for rule in self.rules
        }
        shown = list(self.rules)
        if rows < len(shown):  # those that were heard best of late, in the order that they always have
            chosen = sorted(shown, key=lambda rule: -best.get(rule.slug, 0))[:rows]
            shown = [rule for rule in shown if rule in chosen]
        lines = []
        mark = "┃" if ink.unicode else "|"
        for rule in shown:
            steps = now[rule.slug]
            style = "green" if steps >= rule.on_steps else "yellow" if steps >= rule.off_steps else "blue"
            numbers = f" {steps * scale:.2f} of {rule.on_steps * scale:.2f}"
            cells = max(6, width - _NAME - len(numbers) - 3)
            line = Text(f"{rule.slug[: _NAME - 1]:{_NAME}}", style if steps >= rule.off_steps else "")
            line.append_text(bar(steps * scale, cells, style, ink, {mark: rule.on_steps * scale}))
            lines.append(line.append(numbers, style if steps >= rule.off_steps else "dim"))
        return lines + [Text("")] * (rows - len(lines))

    def _told(self, short: bool, rows: int) -> list[Text]:
        lines = (
            [line for line in self.lines if line.source in ("", self.moment.source)][-rows:] if rows else []
        )
        texts = [Text(line.short if short else line.text, STYLES[line.tone]) for line in lines]
        return texts + [Text("")] * (rows - len(texts))

    def _foot(self) -> Text:
        if not self.keys:
            return Text("Ctrl-C leaves", "dim")
        more = "  tab next source" if len(self.sources) > 1 else ""
        return Text(f"space {'go on' if self.held else 'hold'}  m mark a miss{more}  ? help  q leave", "dim")
