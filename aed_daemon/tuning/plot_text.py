"""The trade-off of a class as three lines of text."""

from __future__ import annotations

from math import ceil, log10

import numpy as np

from aed_daemon.tuning.choose import DAY_S, Proposal

COLUMNS = 60
_BLOCKS = " ▁▂▃▄▅▆▇█"
_DECADES = 3.0
"""What lies so far below the highest rate looks like nothing."""


LEGEND = "In the plots: | the present threshold, ^ the proposed one."


def plot(proposal: Proposal) -> list[str]:
    """Return the false alarms a day and the share of true sounds kept, from threshold_off to 1.

    The rate is on a logarithmic scale of three decades. See `LEGEND` for the marks.
    """
    evidence = proposal.evidence
    columns = np.linspace(evidence.off_steps, 255, COLUMNS).round().astype(int)
    rates = (evidence.possibly_false()[columns] / evidence.heard_s * DAY_S).tolist()
    kept, most = evidence.kept(), max(rates)
    lines = [f"  false alarms {_bars([_height(rate, most) for rate in rates])} {most:.4g} a day"]
    if kept is not None:
        lines.append(f"  kept         {_bars(kept[columns].tolist())} of {evidence.true_sounds()}")
    marks = [" "] * COLUMNS
    for steps, mark in ((evidence.on_steps, "|"), (proposal.steps, "^")):
        if steps is not None:
            marks[int(np.argmin(abs(columns - steps)))] = mark
    low, high = evidence.off_steps * evidence.scale, 255 * evidence.scale
    return [*lines, f"          {low:.2f} {''.join(marks)} {high:.2f}"]


def _height(rate: float, most: float) -> float:
    return 0.0 if rate <= 0 else max(0.05, 1 + log10(rate / most) / _DECADES)


def _bars(heights: list[float]) -> str:
    return "".join(_BLOCKS[min(8, ceil(height * 8))] for height in heights)
