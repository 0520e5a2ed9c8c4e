"""History: the companion that remembers; everything is written on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from aed_daemon.companions import Companion, Surroundings
from aed_daemon.history.archive import Archive
from aed_daemon.history.errors import HistoryError
from aed_daemon.history.file import open_file
from aed_daemon.history.ledger import Batch, Ledger
from aed_daemon.history.rows import Hour, Label, Page, Query
from aed_daemon.history.tally import HopSeen, Tally
from aed_daemon.rules import class_rules
from aed_daemon.sinks.ratelimit import OncePer

if TYPE_CHECKING:
    from aed_daemon.config import DetectionConfig
    from aed_daemon.events import Event
    from aed_daemon.observer import Observation

_log = structlog.get_logger(__name__)

FILE_NAME = "history.db"

QUEUE_HOPS = 8_192
"""A source makes some four a second."""

QUEUE_EVENTS = 4_096

_KEPT_ROWS = 20_000
"""Rows that wait for a disk that cannot be written."""

_COMMIT_S = 1.0
"""An event is in the file so soon after it was published."""

_HOURS_S = 300.0
"""Counts are written so often: a power cut takes no more of them, and a flash card is spared."""

_RETRY_S = 10.0
_TRIM_S = 3_600.0
_RULES_S = 1.0


class _Gap(NamedTuple):
    source: str
    first_sample: int
    end_sample: int


class History(Companion):
    """Remembers what was heard and nearly heard, and how the scores were, hour by hour.

    Nothing waits for it: what its thread cannot take in time is dropped and counted.

    Parameters
    ----------
    around : Surroundings
        Configuration, model, and the thresholds of each source.
    path : Path
        The file.

    Attributes
    ----------
    dropped : int
        Hops, events and rows that were lost since the start.
    problem : str or None
        Why nothing is written at the moment.
    """

    def __init__(self, around: Surroundings, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._around, self._clock = around, clock
        self.archive = Archive(path)
        self.dropped = 0
        self._problem: str | None = None
        self._hops: deque[HopSeen | _Gap] = deque()
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._quiet = OncePer()
        self._tallies: dict[str, Tally] = {}
        self._detections: dict[str, tuple[float, DetectionConfig]] = {}
        self._batch = Batch()
        self._ledger: Ledger | None = None
        self._hours_due_s = self._trim_due_s = self._retry_at_s = 0.0

    # What it is told, from any thread

    @property
    def problem(self) -> str | None:
        """Why nothing is written at the moment."""
        return self._problem

    def start(self) -> None:
        """Begin to write."""
        self._hours_due_s = time.monotonic() + _HOURS_S
        self._thread.start()

    def hop(self, observation: Observation) -> None:
        """Take a decision."""
        decision = observation.decision
        starts: tuple[tuple[str, int], ...] = ()
        if decision.events:
            hop_length = self._around.classifier.manifest.spec.hop_length
            origin = observation.end_sample - decision.end_sample
            starts = tuple(
                (event.slug, origin + event.start_frame * hop_length)
                for event in decision.events
                if event.type == "start"
            )
        seen = HopSeen(observation.source, observation.end_sample, decision.scores, starts, self._clock())
        self._put_hop(seen)

    def gap(self, source: str, first_sample: int, end_sample: int) -> None:
        """Take that samples were lost."""
        self._put_hop(_Gap(source, first_sample, end_sample))

    def event(self, event: Event) -> None:
        """Take an event."""
        with self._changed:
            if len(self._events) >= QUEUE_EVENTS:
                self.dropped += 1
                return
            self._events.append(event)
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Write what waits, as far as that goes in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _log.error("history_not_closed", file=str(self.archive.path), hint="The disk hangs.")

    # What it is asked, from any thread

    def sounds(self, query: Query) -> Page:
        """Return what was heard; see `Archive.sounds`. Nothing where its file is about to be made."""
        if self._ledger is None and not self.archive.path.exists():
            return Page((), None)
        return self.archive.sounds(query)

    def hours(self, since_ts: float | None = None, until_ts: float | None = None) -> list[Hour]:
        """Return the scores by the hour; see `Archive.hours`."""
        return self.archive.hours(since_ts, until_ts)

    def label(self, sound_id: str, verdict: Label | None) -> None:
        """Say of a sound that it was right or wrong; see `Archive.label`."""
        self.archive.label(sound_id, verdict)

    def missed(self, class_: str, at_ts: float, source: str | None = None) -> str:
        """Note that a class sounded and was not reported; see `Archive.missed`."""
        return self.archive.missed(class_, at_ts, source=source, node=self._around.config.node)

    # Its thread

    def _put_hop(self, item: HopSeen | _Gap) -> None:
        with self._changed:
            if len(self._hops) >= QUEUE_HOPS:
                self.dropped += 1
            else:
                self._hops.append(item)
                if len(self._hops) >= QUEUE_HOPS // 2:  # a few can wait
                    self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._closing:
                    self._changed.wait(_COMMIT_S)
                hops, self._hops = self._hops, deque()
                events, self._events = self._events, deque()
                closing = self._closing
            try:
                self._turn(hops, events, closing)
            except HistoryError as error:
                self._failed(error)
            except Exception as error:  # a defect here must not end the history for good
                _log.exception("history_failed_unexpectedly", rows_dropped=len(self._batch))
                self.dropped += len(self._batch)
                self._batch = Batch()
                self._failed(HistoryError(f"unexpected: {error!r}"))
            if closing:
                break
        if self._ledger is not None:
            self._ledger.close()

    def _turn(self, hops: deque[HopSeen | _Gap], events: deque[Event], closing: bool) -> None:
        now_s = time.monotonic()
        self._batch.events += events
        for item in hops:
            self._count(item)
        if closing or now_s >= self._hours_due_s:
            self._hours_due_s = now_s + _HOURS_S
            for tally in self._tallies.values():
                if closing:
                    tally.finish()
                self._collect(tally, with_hours=True)
        self._limit()
        if now_s < self._retry_at_s and not closing:
            return
        ledger = self._ledger or self._open()
        if len(self._batch):
            ledger.write(self._batch)
            self._batch = Batch()
        if now_s >= self._trim_due_s:
            self._trim_due_s = now_s + _TRIM_S
            self._trim(ledger)
        if self._problem is not None:
            _log.info("history_written_again", file=str(self.archive.path))
            self._problem = None

    def _count(self, item: HopSeen | _Gap) -> None:
        if isinstance(item, HopSeen):
            tally = self._tally(item.source)
            tally.push(item)
        elif item.source in self._tallies:
            tally = self._tallies[item.source]
            tally.finish()
        else:
            return
        if tally.near_misses or tally.strengths:
            self._collect(tally, with_hours=False)

    def _collect(self, tally: Tally, *, with_hours: bool) -> None:
        self._batch.near_misses += tally.near_misses
        self._batch.strengths += tally.strengths
        tally.near_misses, tally.strengths = [], []
        if with_hours:
            self._batch.hours += tally.take_hours()

    def _tally(self, source: str) -> Tally:
        """Return the tally under the thresholds that hold for the source now."""
        now_s = time.monotonic()
        known = self._tallies.get(source)
        asked = self._detections.get(source)
        if known is not None and asked is not None and now_s - asked[0] < _RULES_S:
            return known
        detection = self._around.detection(source)
        self._detections[source] = (now_s, detection)
        if known is not None and asked is not None and asked[1] == detection:
            return known
        if known is not None:
            known.finish()
            self._collect(known, with_hours=True)
        classifier = self._around.classifier
        rules = class_rules(detection, classifier.manifest)
        self._tallies[source] = Tally(self._around.config.node, source, classifier, rules)
        return self._tallies[source]

    def _limit(self) -> None:
        """Drop the oldest of what waits for a disk that cannot be written."""
        for rows in (self._batch.events, self._batch.near_misses, self._batch.strengths, self._batch.hours):
            over = len(rows) - _KEPT_ROWS // 4
            if over > 0:
                del rows[:over]
                self.dropped += over

    def _open(self) -> Ledger:
        ledger = Ledger(open_file(self.archive.path), self.archive.path)
        ledger.begin(self._around.config.node)
        self._ledger = ledger
        return ledger

    def _trim(self, ledger: Ledger) -> None:
        config = self._around.config.history
        gone = ledger.trim(self._clock() - config.keep_days * 86_400, round(config.max_mb * 1e6))
        if gone:
            _log.info("history_trimmed", sounds=gone)

    def _failed(self, error: HistoryError) -> None:
        """Go on without the file for a while; what waits is kept as far as there is room."""
        self._problem, self._retry_at_s = error.what, time.monotonic() + _RETRY_S
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None  # opened anew, checked, and set aside if it is damaged
        held = self._quiet.due(error.what)
        if held is not None:
            _log.error(
                "history_not_written",
                file=str(self.archive.path),
                problem=str(error),
                waiting=len(self._batch),
                dropped=self.dropped,
                not_shown=held,
                hint="Detection goes on.",
            )


def place(configured: Path | None, state: Path | None) -> Path | None:
    """Return where a history is: as configured, else in the state folder; None: nowhere."""
    if configured is not None:
        return configured
    return None if state is None else state / FILE_NAME


def make(around: Surroundings) -> Companion:
    """Return a history; one that does nothing where there is no place for it."""
    path = place(around.config.history.path, around.state)
    return Companion() if path is None else History(around, path)
