"""Companions: the parts that look on and take what is published, as the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aed_daemon.config import Config, DetectionConfig
from aed_daemon.figures import Figures
from aed_daemon.guard import Guard
from aed_daemon.observer import Observation, Observer
from aed_daemon.sinks.protocol import Health, SourceLevel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aed_daemon.detector import Stage
    from aed_daemon.events import Event
    from aed_daemon.inference import Classifier


class Companion(Observer):
    """A part of the daemon that detection does without: a view, clips, history, metrics.

    It is a `Sink` as well, and an `Observer`, called as these are; by itself it does nothing.
    """

    @property
    def problem(self) -> str | None:
        """Why it cannot do its work at the moment; None where it can. Told as part of the daemon's health."""
        return None

    def start(self) -> None:
        """Begin; called once, before anything else. What cannot be had yet is waited for elsewhere."""

    def event(self, event: Event) -> None:
        """Take an event that has its `epoch` and `seq`."""

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Take that a source can be heard, or why it cannot."""

    def level(self, level: SourceLevel) -> None:
        """Take a level, one for every hop."""

    def health(self, health: Health) -> None:
        """Take the daemon's health."""

    def close(self, timeout_s: float) -> None:
        """Finish what can be finished within `timeout_s`, then let go of everything."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a companion may know of the daemon.

    Attributes
    ----------
    config : Config
        What holds.
    classifier : Classifier
        Model and engine.
    state : Path or None
        Folder for what must survive a restart.
    health : callable
        Returns how the daemon is, now; from any thread.
    source_states : callable
        Returns the state of each source by name, "running" for one that is listened to.
    detection : callable
        detection(source): thresholds and times, with those that were set over MQTT.
    others : tuple of Companion
        Those that were made before, in the order of `companion_kinds.KINDS`.
    figures : callable
        Returns what every part has counted, now; from any thread, at the cost of a few locks.
    """

    config: Config
    classifier: Classifier
    state: Path | None
    health: Callable[[], Health]
    source_states: Callable[[], dict[str, str]]
    detection: Callable[[str], DetectionConfig]
    others: tuple[Companion, ...] = ()
    figures: Callable[[], Figures] = Figures


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of companion.

    Attributes
    ----------
    wanted : callable
        wanted(config): what of the configuration it depends on; None: there is to be none.
    make : callable
        Returns one, from its surroundings; raises AedError where the configuration cannot be kept to.
    """

    wanted: Callable[[Config], object | None]
    make: Callable[[Surroundings], Companion]


One = TypeVar("One", bound=Companion)

Plan = dict[Kind, tuple[object, Companion]]
"""Which companions there are to be: of each kind what it depends on, and the one."""

_CLOSE_S = 1.0
"""For one that a reload takes away to let go of everything."""


def _tell(companion: Companion, states: Iterable[tuple[str, tuple[bool, str | None]]]) -> None:
    for source, (online, reason) in states:
        companion.availability(source, online, reason)


class Companions(Companion):
    """All companions as one sink and one observer; what one raises stops neither the others nor detection.

    Parameters
    ----------
    fixed : sequence of Companion
        Those that do not come from the configuration.
    kinds : sequence of Kind
        Those that do.
    """

    def __init__(self, fixed: Sequence[Companion] = (), kinds: Sequence[Kind] = ()) -> None:
        self._fixed, self._kinds = tuple(fixed), tuple(kinds)
        self._made: Plan = {}
        self._present = self._fixed
        self._states: dict[str, tuple[bool, str | None]] = {}
        self._guard = Guard("companion_failed")
        self._guard.each(self._fixed, "start", lambda one: one.start())

    @property
    def failures(self) -> int:
        """How many calls ended in an exception."""
        return self._guard.failures

    @property
    def problems(self) -> dict[str, str]:
        """What they cannot do at the moment, by the name of their class in small letters."""
        found: dict[str, str] = {}

        def ask(one: Companion) -> None:
            problem = one.problem
            if problem is not None:
                found[type(one).__name__.lower()] = problem

        self._guard.each(self._present, "problem", ask)
        return found

    def of(self, kind: type[One]) -> One | None:
        """Return the one of a class that the configuration has made; None where it has made none."""
        return next((one for _, one in self._made.values() if isinstance(one, kind)), None)

    def plan(self, surroundings: Callable[[tuple[Companion, ...]], Surroundings]) -> Plan:
        """Return which of them are to be there; nothing changes before `adopt`.

        Those whose part of the configuration is as it was stay, the others are made anew.

        Parameters
        ----------
        surroundings : callable
            surroundings(others): what a companion is made from, given those before it.

        Raises
        ------
        AedError
            For one that cannot be made.
        """
        plan: Plan = {}
        for kind in self._kinds:
            around = surroundings(tuple(companion for _, companion in plan.values()))
            wanted = kind.wanted(around.config)
            if wanted is None:
                continue
            depends_on = (wanted, around.classifier.manifest.sha256, around.others)
            before = self._made.get(kind)
            same = before is not None and before[0] == depends_on
            plan[kind] = before if before and same else (depends_on, kind.make(around))
        return plan

    def adopt(self, plan: Plan) -> None:
        """Go on with these: close those that are not among them, start those that are new."""
        before = [companion for _, companion in self._made.values()]
        now = [companion for _, companion in plan.values()]
        fresh = [companion for companion in now if companion not in before]
        gone = [companion for companion in before if companion not in now]
        self._present = (*self._fixed, *(one for one in now if one not in fresh))
        self._guard.each(reversed(gone), "close", lambda one: one.close(_CLOSE_S))
        self._guard.each(fresh, "start", lambda one: one.start())
        self._made, self._present = plan, (*self._fixed, *now)
        states = list(self._states.items())
        self._guard.each(fresh, "availability", lambda one: _tell(one, states))

    # What is published

    def event(self, event: Event) -> None:
        """Hand on an event."""
        self._guard.each(self._present, "event", lambda one: one.event(event))

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Hand on that a source can be heard, or why it cannot, also to those that come later."""
        self._states[source] = (online, reason)
        self._guard.each(self._present, "availability", lambda one: one.availability(source, online, reason))

    def level(self, level: SourceLevel) -> None:
        """Hand on a level."""
        self._guard.each(self._present, "level", lambda one: one.level(level))

    def health(self, health: Health) -> None:
        """Hand on the daemon's health."""
        self._guard.each(self._present, "health", lambda one: one.health(health))

    def close(self, timeout_s: float) -> None:
        """Nothing: a publisher that is exchanged does not end them. See `end`."""

    def end(self, timeout_s: float) -> None:
        """Close them all, the last made first."""
        present, self._present = self._present, ()
        self._guard.each(reversed(present), "close", lambda one: one.close(timeout_s))

    # What is heard

    def sound(self, source: str, first_sample: int, samples: NDArray[np.float32]) -> None:
        """Hand on samples."""
        self._guard.each(self._present, "sound", lambda one: one.sound(source, first_sample, samples))

    def gap(self, source: str, first_sample: int, end_sample: int) -> None:
        """Hand on that samples were lost."""
        self._guard.each(self._present, "gap", lambda one: one.gap(source, first_sample, end_sample))

    def stage(self, source: str, stage: Stage) -> None:
        """Hand on that a stage of the work has ended."""
        if self._present:  # no more than this where nobody looks on
            self._guard.each(self._present, "stage", lambda one: one.stage(source, stage))

    def hop(self, observation: Observation) -> None:
        """Hand on a decision."""
        self._guard.each(self._present, "hop", lambda one: one.hop(observation))

    def recording(self, draft: Event) -> str | None:
        """Return the first path that one of them has for the recording of this event's sound."""
        found: list[str] = []

        def ask(one: Companion) -> None:
            path = one.recording(draft)
            if path is not None:
                found.append(path)

        self._guard.each(self._present, "recording", ask)
        return found[0] if found else None

    def over(self, source: str) -> None:
        """Hand on that nothing more comes of a source."""
        self._guard.each(self._present, "over", lambda one: one.over(source))
