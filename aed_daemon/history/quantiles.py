"""Quantiles of what was counted by score: exact, as every score is one of 256 steps."""

from __future__ import annotations

import numpy as np

from aed_daemon.history.rows import Counts, Hour

SHARES = (0.5, 0.95, 0.99, 1.0)


def quantile(counts: Counts, share: float) -> int | None:
    """Return the least step that a share of what was counted does not exceed; None of nothing."""
    total = int(counts.sum(dtype=np.int64))
    if not total:
        return None
    reached = np.cumsum(counts, dtype=np.int64) >= share * total
    return int(np.argmax(reached))


def scores_of(hour: Hour) -> dict[str, float | None]:
    """Return the quantiles of an hour's scores: median, p95, p99 and max."""
    steps = [quantile(hour.scores, share) for share in SHARES]
    values = [None if step is None else round(step * hour.scale, 4) for step in steps]
    return dict(zip(("median", "p95", "p99", "max"), values, strict=True))
