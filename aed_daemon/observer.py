"""Observer: looks on while sources are listened to, for clips, history, metrics and live views."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aed_daemon.detector import Decision, Stage
    from aed_daemon.events import Event


class Observation(NamedTuple):
    """A decision, and when it fell.

    Attributes
    ----------
    source : str
        Name of the source.
    end_sample : int
        The first sample index, counted since the source opened, that the decision did not need.
    decision : Decision
        What it came to. Its own `end_sample` counts from the last gap.
    """

    source: str
    end_sample: int
    decision: Decision


class Observer:
    """Sees what every source hears and what comes of it.

    Called from the pipelines' threads, one for each source. No method may wait for anything, or
    change what it is given. By themselves they do nothing.
    """

    def sound(self, source: str, first_sample: int, samples: NDArray[np.float32]) -> None:
        """Take samples, float32 (n,) at the model's rate, before anything is decided about them."""

    def gap(self, source: str, first_sample: int, end_sample: int) -> None:
        """Take that these samples were lost."""

    def stage(self, source: str, stage: Stage) -> None:
        """Take that a stage of the work on a source has ended this very moment."""

    def hop(self, observation: Observation) -> None:
        """Take a decision, after its events are on their way."""

    def recording(self, draft: Event) -> str | None:
        """Return where the recording of this event's sound will be; None where there is none.

        Asked for every event before it goes out; what is returned becomes its `clip`.
        """

    def over(self, source: str) -> None:
        """Take that nothing more comes of a source; if it is opened again, its samples count from 0."""
