"""What a source does when this machine cannot keep up with it: decide less often, for a while."""

from __future__ import annotations

LATE_S = 1.5
"""From so much waiting sound on, the pipeline is late; a start or a short load leaves less."""

PROMPT_S = 0.5
"""Under so much waiting sound it has caught up."""

LATE_LOOKS = 3
"""Late so often in a row, and not getting better: overload."""

CALM_LOOKS = (10, 320)
"""Prompt so often in a row before the hop narrows again; doubled, to the second, by every relapse."""

SETTLED_LOOKS = 300
"""So long at the configured hop, and relapses are forgotten."""

SPARE = 0.7
"""Share of the time that may be spent working after the hop has been halved."""

_BETTER_S = 0.05


class HopControl:
    """Doubles the hop under sustained overload, and halves it again when there is time to spare.

    Pure, without a clock: it is asked once per second of sound.

    Parameters
    ----------
    hop_frames : int
        As configured; it is never narrower.
    most_frames : int
        It is never wider.

    Attributes
    ----------
    frames : int
        The hop now.
    """

    def __init__(self, hop_frames: int, most_frames: int) -> None:
        self._least, self._most = hop_frames, max(hop_frames, most_frames)
        self.frames = hop_frames
        self._late = self._calm = self._at_least = 0
        self._calm_needed = CALM_LOOKS[0]
        self._late_before_s = 0.0

    @property
    def widened(self) -> bool:
        """Whether the hop is wider than configured."""
        return self.frames > self._least

    def look(self, late_s: float, busy_share: float) -> int:
        """Take how things are and return the hop to use, in frames.

        Parameters
        ----------
        late_s : float
            Sound that waits to be worked on, seconds.
        busy_share : float
            Time spent working per time of the sound that was worked on, since the last look.
        """
        worsens = late_s > self._late_before_s - _BETTER_S
        self._late_before_s = late_s
        self._late = self._late + 1 if late_s >= LATE_S and worsens else 0
        # Deciding twice as often costs at most twice as much.
        spare = late_s < PROMPT_S and 2.0 * busy_share < SPARE
        self._calm = self._calm + 1 if spare else 0
        self._at_least = 0 if self.widened else self._at_least + 1
        if self._at_least > SETTLED_LOOKS:
            self._calm_needed = CALM_LOOKS[0]
        if self._late >= LATE_LOOKS and self.frames < self._most:
            self._change(min(2 * self.frames, self._most))
            self._calm_needed = min(2 * self._calm_needed, CALM_LOOKS[1])
        elif self._calm >= self._calm_needed and self.widened:
            self._change(max(self.frames // 2, self._least))
        return self.frames

    def _change(self, frames: int) -> None:
        self.frames = frames
        self._late = self._calm = 0
