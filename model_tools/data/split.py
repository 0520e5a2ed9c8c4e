"""Whether a split keeps the clips of a recording together."""

from __future__ import annotations

from collections.abc import Sequence

from aed_daemon.errors import AedError
from model_tools.data.clip import Clip


def check_leaks(training: Sequence[Clip], held_out: Sequence[Clip]) -> None:
    """Refuse a split where one recording gave clips to both sides.

    Raises
    ------
    AedError
        Naming the first such recording.
    """
    shared = {clip.source for clip in training} & {clip.source for clip in held_out}
    if shared:
        raise AedError(
            f"{len(shared)} recordings have clips on both sides of the split, the first is {min(shared)}",
            hint="Keep all clips of a recording in one fold.",
        )
