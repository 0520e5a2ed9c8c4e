"""Scene: what there is to see, gathered from the pipelines' threads, handed out moment by moment."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.companions import Companion
from aed_daemon.detector import Decision
from aed_daemon.events import Event, iso_utc
from aed_daemon.manifest import ModelManifest
from aed_daemon.near_misses import Excursion, Excursions
from aed_daemon.observer import Observation
from aed_daemon.reporting import top_classes
from aed_daemon.rules import ClassRule
from aed_daemon.terminal.history import COLUMNS, SpectrumHistory

Tone = Literal["start", "end", "update", "near miss", "mark", "state"]

LINES = 200
_SPANS = 60
_HOLD_S = 3.0


@dataclass(frozen=True)
class Line:
    """Something that happened.

    Attributes
    ----------
    tone : str
        What it was.
    source : str
        Where.
    name : str
        Class, or else what there is to say.
    strength : str
        Score, or dB over the floor.
    more : str
        Time of day, or what it lacked.
    """

    tone: Tone
    source: str
    name: str
    strength: str = ""
    more: str = ""

    @property
    def text(self) -> str:
        """The whole line."""
        return f"{self.tone:9}  {self.name:16} {self.strength:>6}  {self.more}".rstrip()

    @property
    def short(self) -> str:
        """The line in 40 cells."""
        return f"{self.tone:9} {self.name:14} {self.strength:>5} {self.more.partition('.')[0]:9}".rstrip()


@dataclass(frozen=True)
class Span:
    """Where something lies on the time axis, in columns of `SpectrumHistory`; `end` None: it goes on."""

    name: str
    tone: Tone
    first: int
    end: int | None


@dataclass(frozen=True)
class Moment:
    """One source at one moment.

    Attributes
    ----------
    source : str
        Its name.
    online : bool
        Whether it can be heard.
    state : str
        Why not, or "listening".
    decision : Decision or None
        The last one.
    best : mapping of str to int
        Best score of the last seconds by class, steps.
    peak_cdb : int
        Largest sample of the last seconds, 0.01 dBFS.
    columns : ndarray, float32 (t, n_mels)
        Spectrogram, dB.
    end_column : int
        Index after its last column.
    spans : tuple of Span
        Sounds, near misses and marks on its time axis.
    """

    source: str
    online: bool
    state: str
    decision: Decision | None
    best: Mapping[str, int]
    peak_cdb: int
    columns: NDArray[np.float32]
    end_column: int
    spans: tuple[Span, ...]


@dataclass
class _Source:
    history: SpectrumHistory
    excursions: Excursions
    online: bool = False
    state: str = "waiting for the source"
    last: Observation | None = None
    recent: deque[tuple[float, Decision]] = field(default_factory=deque)
    spans: dict[str, Span] = field(default_factory=dict)


class Scene(Companion):
    """Everything that the picture shows.

    Parameters
    ----------
    manifest : ModelManifest
        The model.
    rules : sequence of ClassRule
        Its classes, as they are detected.
    sources : sequence of str
        Names of the sources.
    say : callable, optional
        Called with every line as it is added.

    Attributes
    ----------
    changes : int
        Counts whatever changes.
    counts : Counter
        Lines so far, by tone.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        rules: Sequence[ClassRule],
        sources: Sequence[str],
        say: Callable[[Line], None] | None = None,
    ) -> None:
        self.manifest, self.rules, self.sources = manifest, tuple(rules), tuple(sources)
        self._say = say
        self._lock = threading.RLock()  # a signal handler may draw while it is held
        self._at = {
            name: _Source(
                SpectrumHistory(manifest.spec),
                Excursions(rules, manifest.output.zero_point, manifest.spec.hop_length),
            )
            for name in sources
        }
        self._lines: deque[Line] = deque(maxlen=LINES)
        self.changes = 0
        self.counts: Counter[str] = Counter()

    # What the daemon tells

    def hop(self, observation: Observation) -> None:
        """Take a decision."""
        now_s = time.monotonic()
        with self._lock:
            at, decision = self._at[observation.source], observation.decision
            # Its own count begins anew after a gap, and so do the stages.
            lost = at.last is not None and decision.end_sample <= at.last.decision.end_sample
            over = at.excursions.finish() if lost else []
            over += at.excursions.push(observation.end_sample, decision.scores)
            at.last = observation
            at.recent.append((now_s, decision))
            while now_s - at.recent[0][0] > _HOLD_S:
                at.recent.popleft()
            at.history.push(observation)
            for one in over:
                if one.strength < one.rule.on_steps:
                    self._missed(observation.source, one)
            self.changes += 1

    def _missed(self, source: str, one: Excursion) -> None:
        at, scale = self._at[source], self.manifest.output.scale
        first, last = at.history.column(one.first_sample), at.history.column(one.last_sample)
        self._keep(at, f"near {first} {one.rule.slug}", Span(one.rule.slug, "near miss", first, last + 1))
        why = f"of {one.rule.on_steps * scale:.2f}" if one.best < one.rule.on_steps else "too short"
        self._add(Line("near miss", source, one.rule.slug, f"{one.best * scale:.2f}", why))

    def event(self, event: Event) -> None:
        """Take an event."""
        strength = f"{event.level.snr_db:.0f} dB" if event.score_max is None else f"{event.score_max:.2f}"
        line = Line(event.type, event.source, event.class_, strength, (event.end or event.start)[11:-1])
        with self._lock:
            at = self._at.get(event.source)
            if at is not None and event.type != "update":
                first = at.history.column(event.start_sample)
                end = None if event.end_sample is None else at.history.column(event.end_sample) + 1
                self._keep(at, event.id, Span(event.class_, "start", first, end))
            self._add(line)

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Take that a source came or went."""
        with self._lock:
            if source in self._at:
                self._at[source].online = online
                self._at[source].state = "listening" if online else reason or "away"
                self.changes += 1

    # What the user does and sees

    def mark(self, source: str) -> dict[str, object]:
        """Put a mark at this moment of a source and return what is known of it, as JSON takes it."""
        now_ts, output = time.time(), self.manifest.output
        with self._lock:
            at = self._at[source]
            known: dict[str, object] = {"mark": "missed", "at": iso_utc(now_ts), "source": source}
            told, score = "", ""
            if at.last is not None:
                decision = at.last.decision
                top = top_classes(decision.scores, self.manifest.slugs, output.scale, output.zero_point)
                known |= {
                    "sample": at.last.end_sample,
                    "rms_dbfs": decision.rms_cdb / 100,
                    "top": [list(pair) for pair in top],
                }
                if top:
                    told, score = top[0][0], f"{top[0][1]:.2f}"
            column = at.history.end - 1
            self._keep(at, f"mark {now_ts}", Span("mark", "mark", column, column + 1))
            self._add(Line("mark", source, told, score, str(known["at"])[11:-1]))
        return known

    def note(self, source: str, text: str) -> None:
        """Add a line of the program's own."""
        with self._lock:
            self._add(Line("state", source, text))

    def lines(self) -> list[Line]:
        """Return the last lines, oldest first."""
        with self._lock:
            return list(self._lines)

    def moment(self, source: str) -> Moment:
        """Return how a source is now; it does not change any more."""
        zero = self.manifest.output.zero_point
        with self._lock:
            at = self._at[source]
            decisions = [decision for _, decision in at.recent]
            best = {
                rule.slug: max((int(one.scores[rule.index]) - zero for one in decisions), default=0)
                for rule in self.rules
            }
            return Moment(
                source,
                at.online,
                at.state,
                at.last.decision if at.last else None,
                best,
                max((one.peak_cdb for one in decisions), default=0),
                at.history.last(COLUMNS),
                at.history.end,
                tuple(at.spans.values()),
            )

    def _keep(self, at: _Source, key: str, span: Span) -> None:
        known = at.spans.pop(key, None)
        at.spans[key] = span if known is None else replace(known, end=span.end)
        while len(at.spans) > _SPANS:
            del at.spans[next(iter(at.spans))]

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self.counts[line.tone] += 1
        self.changes += 1
        if self._say:
            self._say(line)
