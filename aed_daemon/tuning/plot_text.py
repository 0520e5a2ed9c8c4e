"""The trade-off of a class as three lines of text."""

from __future__ import annotations

from math import log10

import numpy as np

from aed_daemon.tuning.choose import DAY_S, Proposal

COLUMNS = 60
_BLOCKS = " ▁▂▃▄▅▆▇█"
_DECADES = 3.0
"""What lies so far below the highest rate looks like nothing."""


def plot(proposal: Proposal) -> list[str]:
    """Return the false alarms a day and the share of true sounds kept, from threshold_off to 1.

    The rate is on a logarithmic scale of three decades; `now` and `new` stand under their thresholds.
    """
    evidence = proposal.evidence
    columns = np.linspace(evidence.off_steps, 255, COLUMNS).round().astype(int)
    rates = evidence.possibly_false()[columns] / evidence.heard_s * DAY_S
    kept = evidence.kept()
    low, high = evidence.off_steps * evidence.scale, 255 * evidence.scale
    lines = [
        f"  false alarms {_bars([_height(rate, rates.max()) for rate in rates])} {rates.max():.4g} a day"
    ]
    if kept is not None:
        lines.append(f"  kept         {_bars(list(kept[columns]))} of {evidence.true_sounds()}")
    marks = [" "] * (COLUMNS + 8)
    for steps, mark in ((evidence.on_steps, "|now"), (proposal.steps, "|new")):
        if steps is not None:
            at = int(np.argmin(abs(columns - steps)))
            marks[at : at + len(mark)] = mark
    lines.append(f"          {low:.2f} {''.join(marks[:COLUMNS])} {high:.2f}")
    return lines


def _height(rate: float, most: float) -> float:
    return 0.0 if rate <= 0 else max(0.05, 1 + log10(rate / most) / _DECADES)


def _bars(heights: list[float]) -> str:
    return "".join(_BLOCKS[min(8, max(0, -int(-height * 8 // 1)))] for height in heights)
