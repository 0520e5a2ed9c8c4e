"""Compare what was detected in the demo with what was in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aed_daemon.audio.demo import DemoEvent


class Detection(NamedTuple):
    """A start that the daemon reported.

    Attributes
    ----------
    slug : str
        Its class.
    onset_s : float
        Seconds from the start of the soundscape.
    """

    slug: str
    onset_s: float


class Score(NamedTuple):
    """What became of the sounds and of the detections.

    Attributes
    ----------
    hits : list of (DemoEvent, Detection)
        Sounds with the first detection of each.
    misses : list of DemoEvent
        Sounds without one.
    false_starts : list of Detection
        Detections without a sound of their class.
    repeats : list of Detection
        Further detections of a sound that has been hit already.
    """

    hits: list[tuple[DemoEvent, Detection]]
    misses: list[DemoEvent]
    false_starts: list[Detection]
    repeats: list[Detection]


def match(ground_truth: Iterable[DemoEvent], detections: Iterable[Detection], collar_s: float = 0.5) -> Score:
    """Match detections to sounds of the same class.

    A detection belongs to a sound if its onset lies between `collar_s` before the sound's onset and
    `collar_s` after its offset. The first is its hit.

    Parameters
    ----------
    ground_truth : iterable of DemoEvent
        The sounds.
    detections : iterable of Detection
        The reported starts, in any order.
    collar_s : float
        Tolerance in seconds.
    """
    sounds = sorted(ground_truth, key=lambda event: event.onset_s)
    score = Score([], [], [], [])
    found: dict[DemoEvent, Detection] = {}
    for detection in sorted(detections, key=lambda start: start.onset_s):
        around = [
            event
            for event in sounds
            if event.slug == detection.slug
            and event.onset_s - collar_s <= detection.onset_s <= event.offset_s + collar_s
        ]
        new = next((event for event in around if event not in found), None)
        if new is not None:
            found[new] = detection
            score.hits.append((new, detection))
        elif around:
            score.repeats.append(detection)
        else:
            score.false_starts.append(detection)
    score.misses.extend(event for event in sounds if event not in found)
    return score
