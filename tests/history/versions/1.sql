PRAGMA application_id = 1095058504;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
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
INSERT INTO "hour" VALUES(1795395600,'porch','dog','0000000000000000000000000000000000000000000000000000000000000000','litert','{"off_steps":77}',128,0.00390625,3600.0,15000,X'78DA63601805A36014E002ECC3DC7F000A200008',X'78DA63601805A360140C55C048A17E0004400002');
CREATE TABLE label (
    sound TEXT PRIMARY KEY REFERENCES sound (id) ON DELETE CASCADE,
    verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'missed')),
    labelled_ts REAL NOT NULL
) WITHOUT ROWID;
INSERT INTO "label" VALUES('01KAR3X0XM0000000000000001','right',1.79548532838328599929e+09);
INSERT INTO "label" VALUES('01KAR3XMDM0000000000000002','wrong',1.79548532842534399028e+09);
INSERT INTO "label" VALUES('01M82ZHKG8S6YHVSMFP4KX5SES','missed',1.79548532847055530544e+09);
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
INSERT INTO "sound" VALUES('01KAR3X0XM0000000000000001','event','hall-3f2a','porch','dog',1795396461.48,1795396462.98,1.5,0,0.97,0.91,0.9375,-23.1,-9.8,-58.0,0,'yamnet256-esc10','0000000000000000000000000000000000000000000000000000000000000000','litert',NULL,NULL,0,1,'00000000',1);
INSERT INTO "sound" VALUES('01KAR3XMDM0000000000000002','event','hall-3f2a','porch','rain',1795396481.48,1795396490.48,9.0,320000,0.97,0.91,NULL,-23.1,-9.8,-58.0,0,'yamnet256-esc10','0000000000000000000000000000000000000000000000000000000000000000','litert',NULL,NULL,0,1,'00000000',1);
INSERT INTO "sound" VALUES('01KAR3Y7XM0000000000000003','near_miss','hall-3f2a','porch','dog',1795396501.48,1795396502.48,1.0,NULL,0.42,NULL,0.41,NULL,NULL,NULL,NULL,NULL,'0000000000000000000000000000000000000000000000000000000000000000','litert',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "sound" VALUES('01M82ZHKG8S6YHVSMFP4KX5SES','missed','hall-3f2a','porch','dog',1795396521.48,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX sound_by_class ON sound (class, id);
COMMIT;
