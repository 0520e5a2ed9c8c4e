"""The tables of a history, and how a file of an earlier version becomes one of this.

A version, once released, is never changed: what is new is a further script at the end of `MIGRATIONS`,
and a file of the version before goes to tests/history/versions.
"""

from __future__ import annotations

APPLICATION_ID = 0x41454448
"""Marks the file as ours: AEDH."""

_VERSION_1 = """
CREATE TABLE sound (
    id TEXT PRIMARY KEY,                -- ULID: sorts by onset
    kind TEXT NOT NULL CHECK (kind IN ('event', 'near_miss', 'missed')),
    node TEXT NOT NULL,
    source TEXT,
    class TEXT NOT NULL,
    start_ts REAL NOT NULL,             -- seconds since 1970
    end_ts REAL,
    duration_s REAL,
    start_sample INTEGER,
    score_max REAL,
    score_mean REAL,
    strength REAL,                      -- largest threshold_on at which an event would have started
    rms_dbfs REAL,
    peak_dbfs REAL,
    floor_dbfs REAL,
    clipped INTEGER,
    model_name TEXT,
    model_sha256 TEXT,
    engine TEXT,
    clip TEXT,
    reason TEXT,
    gap_before INTEGER,
    clock_synced INTEGER,
    epoch TEXT,
    seq INTEGER                         -- of the last message of the sound
) WITHOUT ROWID;
CREATE INDEX sound_by_class ON sound (class, id);

CREATE TABLE label (
    sound TEXT PRIMARY KEY REFERENCES sound (id) ON DELETE CASCADE,
    verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'missed')),
    labelled_ts REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE hour (
    hour_ts INTEGER NOT NULL,           -- its first second, since 1970
    source TEXT NOT NULL,
    class TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    engine TEXT NOT NULL,
    rule TEXT NOT NULL,                 -- what else decides on events, as JSON
    on_steps INTEGER NOT NULL,          -- threshold_on as it was last, in steps
    scale REAL NOT NULL,                -- score of one step
    heard_s REAL NOT NULL,              -- sound listened to
    hops INTEGER NOT NULL,
    scores BLOB NOT NULL,               -- hops by score: 256 little-endian uint32, deflated
    strengths BLOB NOT NULL,            -- excursions by strength, likewise
    PRIMARY KEY (hour_ts, source, class, model_sha256, engine, rule)
) WITHOUT ROWID;
"""

MIGRATIONS = (_VERSION_1,)
"""From version n to n + 1, from nothing on; `PRAGMA user_version` is how many a file has been through."""

TABLES = ("sound", "label", "hour")
