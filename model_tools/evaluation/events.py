"""Event-based F1: events found against events that are there, matched as sed_eval matches them.

A found event may be matched with one that is there if both are of the same class and scene and the
onsets lie within the collar; with offsets too, if those lie within the collar or a share of the true
length, whichever is more. Of all ways to match, one with the most pairs counts, within each class.

Source: A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection", Applied
Sciences 6(6), 2016; sed_eval 0.2.1, EventBasedMetrics with event_matching_type "optimal" and
empty_system_output_handling "zero_score".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Event(NamedTuple):
    """A sound with a beginning and an end in a scene; times in seconds."""

    scene: int
    slug: str
    onset_s: float
    offset_s: float


@dataclass(frozen=True)
class Counts:
    """How many events of a class are there, were found, and were matched."""

    there: int
    found: int
    matched: int

    @property
    def precision(self) -> float:
        """Share of the found ones that are there; 0 where none was found."""
        return self.matched / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of those there that were found; 0 where none is there."""
        return self.matched / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing was matched."""
        return 2 * self.matched / (self.there + self.found) if self.matched else 0.0


@dataclass(frozen=True)
class EventScores:
    """Counts by class.

    Attributes
    ----------
    classes : mapping of str to Counts
        Every class asked for.
    """

    classes: Mapping[str, Counts]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that are there: a missed class counts as 0, an absent one not at all."""
        scored = [counts.f1 for counts in self.classes.values() if counts.there]
        return sum(scored) / len(scored) if scored else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the figures for a report."""
        found, there = (sum(getattr(c, name) for c in self.classes.values()) for name in ("found", "there"))
        return {
            "f1_macro": round(self.macro_f1, 4),
            "events": there,
            "found": found,
            "matched": sum(counts.matched for counts in self.classes.values()),
            "f1": {slug: round(counts.f1, 4) for slug, counts in self.classes.items() if counts.there},
        }


def score_events(
    there: Sequence[Event],
    found: Sequence[Event],
    slugs: Sequence[str],
    *,
    collar_s: float = 0.5,
    offset_share: float | None = None,
) -> EventScores:
    """Match found events with those that are there.

    Parameters
    ----------
    there, found : sequence of Event
        The truth and the answer, of any number of scenes.
    slugs : sequence of str
        Classes to score; others are left out.
    collar_s : float
        Onsets may be so far apart, s.
    offset_share : float, optional
        If given, offsets count too: they may be `collar_s` or so large a share of the true length apart.
    """

    def may_match(truth: Event, answer: Event) -> bool:
        if abs(truth.onset_s - answer.onset_s) > collar_s:
            return False
        if offset_share is None:
            return True
        allowed = max(collar_s, offset_share * (truth.offset_s - truth.onset_s))
        return abs(truth.offset_s - answer.offset_s) <= allowed

    classes = {}
    for slug in slugs:
        truths = _by_scene([event for event in there if event.slug == slug])
        answers = _by_scene([event for event in found if event.slug == slug])
        matched = sum(
            most_pairs([[may_match(t, a) for a in answers.get(scene, ())] for t in truths[scene]])
            for scene in truths
        )
        classes[slug] = Counts(sum(map(len, truths.values())), sum(map(len, answers.values())), matched)
    return EventScores(classes)


def _by_scene(events: Sequence[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.scene, []).append(event)
    return found


def most_pairs(allowed: Sequence[Sequence[bool]]) -> int:
    """Return the size of the largest matching of rows with columns.

    Source: H. W. Kuhn, "The Hungarian method for the assignment problem", 1955: augmenting paths.
    """
    partner: dict[int, int] = {}

    def augment(row: int, tried: set[int]) -> bool:
        for column, may in enumerate(allowed[row]):
            if may and column not in tried:
                tried.add(column)
                if column not in partner or augment(partner[column], tried):
                    partner[column] = row
                    return True
        return False

    return sum(augment(row, set()) for row in range(len(allowed)))
