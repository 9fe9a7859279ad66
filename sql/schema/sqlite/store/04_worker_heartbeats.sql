-- The newest beat of every worker. PAYLOAD comes last: readers that know it
-- already do not read it again.
CREATE TABLE IF NOT EXISTS WORKER_HEARTBEATS (
  RUN_ID             TEXT    NOT NULL,
  WORKER_ID          TEXT    NOT NULL,
  WORKER_GROUP_ID    INTEGER NOT NULL DEFAULT 0,
  EPOCH              INTEGER NOT NULL DEFAULT 0,
  STATUS             TEXT    NOT NULL DEFAULT '',
  PHASE              TEXT    NOT NULL DEFAULT '',
  LAST_HEARTBEAT     TEXT,                         -- by the store's clock
  HEARTBEAT_COUNT    INTEGER NOT NULL DEFAULT 0,
  ACTIVE_CONNECTIONS INTEGER NOT NULL DEFAULT 0,
  TARGET_CONNECTIONS INTEGER NOT NULL DEFAULT 0,
  CPU_PERCENT        REAL    NOT NULL DEFAULT 0,
  MEMORY_PERCENT     REAL    NOT NULL DEFAULT 0,
  QUERIES_PROCESSED  INTEGER NOT NULL DEFAULT 0,   -- operations that have ended, in all phases
  ERROR_COUNT        INTEGER NOT NULL DEFAULT 0,
  LAST_ERROR         TEXT    NOT NULL DEFAULT '',
  LAST_SEQUENCE      INTEGER NOT NULL DEFAULT 0,   -- newest control event that it knew of
  ACKED_SEQUENCE     INTEGER NOT NULL DEFAULT 0,   -- last interval that it knew to be stored
  TARGET_SESSIONS    TEXT,                         -- JSON
  BUILD              TEXT,                         -- JSON
  PAYLOAD            TEXT,                         -- JSON: cumulative counters, histograms, unacknowledged intervals
  PRIMARY KEY (RUN_ID, WORKER_ID)
);
