"""What a benchmark hands back: the figures of the record, details beside them, lines for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class UnavailableError(Exception):
    """A benchmark cannot run here; says what is missing."""


@dataclass(frozen=True)
class Limit:
    """What a figure must keep.

    Attributes
    ----------
    bound : float
        In the figure's unit.
    at_least : bool
        Whether the figure must reach it; otherwise it must not exceed it.
    """

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure keeps it; a miss, infinite, keeps no upper bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    what : str
        The figure's name.
    value : float
        The figure.
    unit : str
        Its unit.
    beside : str
        What it compares with: baselines of the same run, spread.
    limit : Limit or None
        What it must keep.
    """

    what: str
    value: float
    unit: str
    beside: str = ""
    limit: Limit | None = None


@dataclass(frozen=True)
class Outcome:
    """What one benchmark found.

    Attributes
    ----------
    figures : dict
        The keys of the record that others rely on.
    details : dict
        Spread, baselines, variants.
    rows : list of Row
        For the table.
    """

    figures: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
