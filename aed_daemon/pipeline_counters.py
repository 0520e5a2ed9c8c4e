"""What a pipeline has done, for the watchdog, for health and for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PipelineCounters:
    """What a pipeline has done since it began.

    Attributes
    ----------
    turns : int
        Turns of the loop.
    hops, gated_hops : int
        Decisions, and those among them for which the network was spared.
    shed_hops : int
        Decisions that were left out because the sound had been overwritten before its turn.
    events : int
        Events published.
    gaps : int
        Gaps met.
    busy_s, audio_s : float
        Time spent working, and the sound worked on, seconds.
    """

    turns: int = 0
    hops: int = 0
    gated_hops: int = 0
    shed_hops: int = 0
    events: int = 0
    gaps: int = 0
    busy_s: float = 0.0
    audio_s: float = 0.0
