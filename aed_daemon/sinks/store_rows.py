"""What an outbox's file holds: its tables, and their rows as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import Hole

APPLICATION_ID = 0x6165640B
"""Tells SQLite's tools, and us, whose file it is."""

FORMAT = 1

DEAD_LETTERS_KEPT = 100

SCHEMA = f"""
CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, next_seq INTEGER NOT NULL,
    next_position INTEGER NOT NULL, at_s REAL NOT NULL, at_ts REAL NOT NULL, clock_synced INTEGER NOT NULL
);
CREATE TABLE waiting (
    position INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, committed_s REAL NOT NULL,
    process INTEGER NOT NULL, payload TEXT NOT NULL
);
CREATE TABLE hole (
    epoch TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE dead_letter (reason TEXT NOT NULL, refused_ts REAL NOT NULL, payload TEXT NOT NULL);
CREATE TABLE open_sound (id TEXT PRIMARY KEY, rate_hz INTEGER NOT NULL, payload TEXT NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait: so many events, bytes of JSON, and seconds."""

    events: int
    payload_bytes: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """An event that waits; `committed_s` on this process's monotonic clock, whichever process stored it."""

    position: int
    epoch: str
    seq: int
    committed_s: float
    process: int
    payload: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that was put aside."""

    reason: str
    refused_ts: float
    payload: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What comes from elsewhere into a store; its numbers stay, the store's own begin a new epoch.

    Parameters
    ----------
    rows : iterable of Row
        Events that wait; what the store has already is left as it is.
    holes : sequence of Hole
        Not announced yet.
    refusals : sequence of Refusal
        Dead letters.
    open_sounds : sequence of Event or None
        What has started and not ended, in place of what the store knows of it; None: that stays.
    replaces : str or None
        An epoch whose rows in the store are those of an attempt before this one.
    unconfirmed : (str, int) or None
        Epoch and seq from which on the store's rows were never confirmed, and went elsewhere.
    """

    rows: Iterable[Row] = ()
    holes: Sequence[Hole] = ()
    refusals: Sequence[Refusal] = ()
    open_sounds: Sequence[Event] | None = None
    replaces: str | None = None
    unconfirmed: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction has done: the events that it numbered, and how many it dropped or refused."""

    events: tuple[Event, ...]
    rows: tuple[Row, ...]
    dropped: frozenset[int]
    invalid: int


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A store as it is after a transaction."""

    epoch: str
    next_seq: int
    next_position: int
    depth: int
    holes: Sequence[Hole]
